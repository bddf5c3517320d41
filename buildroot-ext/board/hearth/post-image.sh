#!/bin/sh
# Called by Buildroot with the folder of images and the board: makes the image. HEARTH_IMAGE_ARGUMENTS: more words for hearth-image.
set -eu

images=$1
board=$2
console=$(sed -n 's/^BR2_PACKAGE_HEARTH_CONSOLE="\(.*\)"$/\1/p' "$BR2_CONFIG")

# Not quoted: words of a command line.
# shellcheck disable=SC2086
exec "$HOST_DIR/bin/hearth-image" --repo "$BR2_EXTERNAL_HEARTH_PATH/.." from-buildroot \
	--board "$board" --output "$BASE_DIR" --console "$console" --out "$images/hearth" \
	${HEARTH_IMAGE_ARGUMENTS:-}
