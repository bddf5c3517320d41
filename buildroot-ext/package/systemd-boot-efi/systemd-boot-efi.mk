SYSTEMD_BOOT_EFI_VERSION = $(SYSTEMD_VERSION)
SYSTEMD_BOOT_EFI_SITE = $(SYSTEMD_SITE)
SYSTEMD_BOOT_EFI_SOURCE = systemd-$(SYSTEMD_BOOT_EFI_VERSION).tar.gz
SYSTEMD_BOOT_EFI_DL_SUBDIR = systemd
SYSTEMD_BOOT_EFI_DEPENDENCIES = host-gperf host-python-jinja2 host-python-pyelftools libcap libxcrypt util-linux-libs
$(eval $(meson-package))
