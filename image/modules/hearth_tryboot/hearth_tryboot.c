// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raspberry Pi: "reboot 0 tryboot" has the firmware start the other slot once.
 *
 * The distribution's kernel passes the word of reboot(2) to nobody. This tells the firmware, before the devices are shut down, by the
 * property SET_REBOOT_FLAGS of its mailbox (https://github.com/raspberrypi/firmware/wiki/Mailbox-property-interface). The firmware clears
 * the flag before it starts a system.
 */
#include <linux/bits.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

#define SET_REBOOT_FLAGS 0x00038064
#define REBOOT_TRYBOOT BIT(0)

static struct rpi_firmware *firmware;

static int hearth_tryboot_reboot(struct notifier_block *block, unsigned long action, void *word)
{
	u32 flags = REBOOT_TRYBOOT;
	int error;

	if (action != SYS_RESTART || !word || strcmp(word, "0 tryboot"))
		return NOTIFY_DONE;
	error = rpi_firmware_property(firmware, SET_REBOOT_FLAGS, &flags, sizeof(flags));
	if (error)
		pr_err("hearth_tryboot: the firmware does not take the flag: %d\n", error);
	return NOTIFY_DONE;
}

static struct notifier_block hearth_tryboot_block = { .notifier_call = hearth_tryboot_reboot };

static int __init hearth_tryboot_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "raspberrypi,bcm2835-firmware");
	int error;

	if (!node)
		return -ENODEV;
	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -EPROBE_DEFER;
	error = register_reboot_notifier(&hearth_tryboot_block);
	if (error)
		rpi_firmware_put(firmware);
	return error;
}

static void __exit hearth_tryboot_exit(void)
{
	unregister_reboot_notifier(&hearth_tryboot_block);
	rpi_firmware_put(firmware);
}

/* Loaded as soon as the firmware's device is seen. */
static const struct of_device_id hearth_tryboot_of_match[] = {
	{ .compatible = "raspberrypi,bcm2835-firmware" },
	{},
};
MODULE_DEVICE_TABLE(of, hearth_tryboot_of_match);

module_init(hearth_tryboot_init);
module_exit(hearth_tryboot_exit);
MODULE_DESCRIPTION("Starts the other slot of a Raspberry Pi once");
MODULE_LICENSE("GPL");
