################################################################################
#
# hearth-erofs-utils
#
################################################################################

# Of the release's erofs-utils; its own host package knows no zstd, which modules are compressed with.
HEARTH_EROFS_UTILS_VERSION = $(EROFS_UTILS_VERSION)
HEARTH_EROFS_UTILS_SITE = $(EROFS_UTILS_SITE)
HEARTH_EROFS_UTILS_SOURCE = $(EROFS_UTILS_SOURCE)
HEARTH_EROFS_UTILS_DL_SUBDIR = erofs-utils
HEARTH_EROFS_UTILS_LICENSE = GPL-2.0+, GPL-2.0+ or Apache-2.0 (liberofs)
HEARTH_EROFS_UTILS_LICENSE_FILES = COPYING LICENSES/Apache-2.0 LICENSES/GPL-2.0
# From a git tree: no generated autotools files
HEARTH_EROFS_UTILS_AUTORECONF = YES

HOST_HEARTH_EROFS_UTILS_DEPENDENCIES = host-lz4 host-pkgconf host-util-linux host-zstd
HOST_HEARTH_EROFS_UTILS_CONF_OPTS = \
	--enable-lz4 \
	--disable-lzma \
	--disable-fuse \
	--with-libzstd \
	--without-libdeflate \
	--without-selinux \
	--without-zlib

$(eval $(host-autotools-package))
