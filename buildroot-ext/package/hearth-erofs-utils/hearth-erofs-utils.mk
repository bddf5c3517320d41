HEARTH_EROFS_UTILS_VERSION = $(EROFS_UTILS_VERSION)
HEARTH_EROFS_UTILS_SITE = $(EROFS_UTILS_SITE)
HEARTH_EROFS_UTILS_SOURCE = erofs-utils-$(HEARTH_EROFS_UTILS_VERSION).tar.gz
HEARTH_EROFS_UTILS_DL_SUBDIR = erofs-utils
HEARTH_EROFS_UTILS_LICENSE = GPL-2.0+
HEARTH_EROFS_UTILS_LICENSE_FILES = COPYING LICENSES/Apache-2.0 LICENSES/GPL-2.0
HEARTH_EROFS_UTILS_AUTORECONF = YES
HOST_HEARTH_EROFS_UTILS_DEPENDENCIES = host-pkgconf host-util-linux host-lz4 host-zstd
HOST_HEARTH_EROFS_UTILS_CONF_OPTS = \
	--enable-lz4 \
	--disable-lzma \
	--disable-fuse \
	--without-libdeflate \
	--with-libzstd \
	--without-selinux \
	--without-zlib
$(eval $(host-autotools-package))
