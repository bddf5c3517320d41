################################################################################
#
# hearth
#
################################################################################

HEARTH_VERSION = local
HEARTH_SITE = $(BR2_EXTERNAL_HEARTH_PATH)/..
HEARTH_SITE_METHOD = local
HEARTH_LICENSE = Apache-2.0
HEARTH_LICENSE_FILES = LICENSE
HEARTH_DEPENDENCIES = host-hearth libseccomp openssl tpm2-tss
HOST_HEARTH_DEPENDENCIES = host-hearth-erofs-utils

# The repository's own build folders are large and are not sources.
HEARTH_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude /target --exclude node_modules --exclude /buildroot-ext
HOST_HEARTH_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = $(HEARTH_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS)

HEARTH_PROGRAMS = \
	app-init \
	containerd-lite \
	containerd-lite-run \
	containerd-lite-unpack \
	hostd \
	init \
	installer \
	netd \
	storaged

ifeq ($(call qstrip,$(BR2_PACKAGE_HEARTH_PROGRAMS)),)

HEARTH_DEPENDENCIES += host-pkgconf host-rustc
HOST_HEARTH_DEPENDENCIES += host-rustc

HEARTH_CARGO = \
	cargo \
	--config 'source.crates-io.replace-with="vendored"' \
	--config 'source.vendored.directory="$(call qstrip,$(BR2_PACKAGE_HEARTH_CRATES))"' \
	rustc --release --offline --locked

# Profiles are those of the workspace, not Buildroot's.
HEARTH_CARGO_ENV = \
	$(TARGET_CONFIGURE_OPTS) \
	$(filter-out CARGO_PROFILE_%,$(PKG_CARGO_ENV)) \
	LIBSECCOMP_LIB_PATH=$(STAGING_DIR)/usr/lib

# Stage 1 runs where there is no library, and the first process of an app where there is none of ours.
define HEARTH_BUILD_CMDS
	cd $(@D) && $(HEARTH_CARGO_ENV) $(HEARTH_CARGO) --package init --bin init -- -C target-feature=+crt-static
	cd $(@D) && $(HEARTH_CARGO_ENV) $(HEARTH_CARGO) --package app-init --bin app-init -- -C target-feature=+crt-static
	cd $(@D) && $(HEARTH_CARGO_ENV) LIBSECCOMP_LINK_TYPE=static $(HEARTH_CARGO) \
		--package containerd-lite --bin containerd-lite-run -- -C target-feature=+crt-static
	$(foreach p,containerd-lite containerd-lite-unpack hostd installer netd storaged, \
		cd $(@D) && $(HEARTH_CARGO_ENV) $(HEARTH_CARGO) \
			--package $(if $(filter containerd-lite%,$(p)),containerd-lite,$(p)) --bin $(p)$(sep))
endef

define HOST_HEARTH_BUILD_CMDS
	cd $(@D) && $(HOST_MAKE_ENV) $(HOST_CONFIGURE_OPTS) CARGO_HOME=$(BR_CARGO_HOME) \
		$(HEARTH_CARGO) --package image --bin hearth-image
endef

HEARTH_BUILT = $(@D)/target/$(RUSTC_TARGET_NAME)/release
HEARTH_IMAGE_BUILDER = $(@D)/target/release/hearth-image

else

HEARTH_BUILT = $(call qstrip,$(BR2_PACKAGE_HEARTH_PROGRAMS))
HEARTH_IMAGE_BUILDER = $(HEARTH_BUILT)/hearth-image

endif

define HEARTH_INSTALL_TARGET_CMDS
	$(foreach p,$(HEARTH_PROGRAMS), \
		$(INSTALL) -D -m 0755 $(HEARTH_BUILT)/$(p) $(TARGET_DIR)/usr/lib/hearth/$(p)$(sep))
endef

define HOST_HEARTH_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(HEARTH_IMAGE_BUILDER) $(HOST_DIR)/bin/hearth-image
endef

HEARTH_MODULE_KEY = $(call qstrip,$(BR2_PACKAGE_HEARTH_MODULE_KEY))

ifneq ($(HEARTH_MODULE_KEY),)
define HEARTH_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_SET_OPT,CONFIG_MODULE_SIG_KEY,"$(HEARTH_MODULE_KEY)")
endef
endif

# What the image builder records of each package: name, version, licence.
define HEARTH_WRITE_PACKAGES
	$(file >$(BUILD_DIR)/hearth-packages.txt)
	$(foreach p,$(sort $(PACKAGES)), \
		$(file >>$(BUILD_DIR)/hearth-packages.txt,$(p)|$($(call UPPERCASE,$(p))_VERSION)|$($(call UPPERCASE,$(p))_LICENSE)))
endef
HEARTH_TARGET_FINALIZE_HOOKS += HEARTH_WRITE_PACKAGES

$(eval $(generic-package))
$(eval $(host-generic-package))
