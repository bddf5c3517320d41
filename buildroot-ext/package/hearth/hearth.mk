HEARTH_VERSION = 0
HEARTH_SITE = $(BR2_EXTERNAL_HEARTH_PATH)/..
HEARTH_SITE_METHOD = local
HEARTH_DEPENDENCIES = host-pkgconf host-rustc host-hearth-erofs-utils libseccomp tpm2-tss
$(eval $(generic-package))
