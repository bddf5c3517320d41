include $(sort $(wildcard $(BR2_EXTERNAL_HEARTH_PATH)/package/*/*.mk))

# The starter of containers (package hearth) is one file: the library's static form, which shared builds leave out.
LIBSECCOMP_CONF_OPTS += --enable-static
