################################################################################
#
# hearth-tryboot
#
################################################################################

HEARTH_TRYBOOT_VERSION = local
HEARTH_TRYBOOT_SITE = $(BR2_EXTERNAL_HEARTH_PATH)/../image/modules/hearth_tryboot
HEARTH_TRYBOOT_SITE_METHOD = local
HEARTH_TRYBOOT_LICENSE = GPL-2.0

$(eval $(kernel-module))
$(eval $(generic-package))
