################################################################################
#
# systemd-boot-efi
#
################################################################################

# Of the release's systemd: one version, one tarball.
SYSTEMD_BOOT_EFI_VERSION = $(SYSTEMD_VERSION)
SYSTEMD_BOOT_EFI_SITE = $(SYSTEMD_SITE)
SYSTEMD_BOOT_EFI_SOURCE = $(SYSTEMD_SOURCE)
SYSTEMD_BOOT_EFI_DL_SUBDIR = systemd
SYSTEMD_BOOT_EFI_LICENSE = LGPL-2.1+
SYSTEMD_BOOT_EFI_LICENSE_FILES = LICENSE.LGPL2.1
SYSTEMD_BOOT_EFI_INSTALL_TARGET = NO
SYSTEMD_BOOT_EFI_INSTALL_IMAGES = YES
# The libraries are only asked for by the configuration; nothing of them is in the two files.
SYSTEMD_BOOT_EFI_DEPENDENCIES = \
	host-gperf \
	host-pkgconf \
	host-python-jinja2 \
	host-python-pyelftools \
	libcap \
	libxcrypt \
	util-linux-libs

SYSTEMD_BOOT_EFI_ARCH = $(if $(BR2_x86_64),x64,aa64)

SYSTEMD_BOOT_EFI_CONF_OPTS = \
	-Dmode=release \
	-Dvcs-tag=false \
	-Dversion-tag=$(SYSTEMD_BOOT_EFI_VERSION) \
	-Defi=true \
	-Dbootloader=enabled \
	-Dukify=disabled \
	-Dman=disabled \
	-Dhtml=disabled \
	-Dtests=false \
	-Dtranslations=false \
	-Dtpm=true \
	-Dsbat-distro=hearth \
	-Dsbat-distro-summary=Hearth \
	-Dsbat-distro-pkgname=systemd-boot-efi \
	-Dsbat-distro-version=$(SYSTEMD_BOOT_EFI_VERSION) \
	-Dsbat-distro-url=hearth

define SYSTEMD_BOOT_EFI_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(SYSTEMD_BOOT_EFI_NINJA_ENV) \
		$(NINJA) $(NINJA_OPTS) -C $(@D)/buildroot-build \
		src/boot/systemd-boot$(SYSTEMD_BOOT_EFI_ARCH).efi \
		src/boot/linux$(SYSTEMD_BOOT_EFI_ARCH).efi.stub
endef

define SYSTEMD_BOOT_EFI_INSTALL_IMAGES_CMDS
	$(INSTALL) -D -m 0644 $(@D)/buildroot-build/src/boot/systemd-boot$(SYSTEMD_BOOT_EFI_ARCH).efi \
		$(BINARIES_DIR)/systemd-boot-efi/systemd-boot$(SYSTEMD_BOOT_EFI_ARCH).efi
	$(INSTALL) -D -m 0644 $(@D)/buildroot-build/src/boot/linux$(SYSTEMD_BOOT_EFI_ARCH).efi.stub \
		$(BINARIES_DIR)/systemd-boot-efi/linux$(SYSTEMD_BOOT_EFI_ARCH).efi.stub
endef

$(eval $(meson-package))
