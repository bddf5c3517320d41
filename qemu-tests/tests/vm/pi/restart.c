/* PID 1 of a Pi: loads our module, and restarts by the word that the command line has behind "test.word=" ("_" for a blank). */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFERRED 517 /* EPROBE_DEFER of the kernel: the firmware's driver is not there yet */

static int load(void)
{
	int file = open("/hearth_tryboot.ko", O_RDONLY | O_CLOEXEC);
	int tries;

	for (tries = 0; tries < 60; tries++) {
		if (!syscall(SYS_finit_module, file, "", 0))
			return 0;
		if (errno != DEFERRED)
			return errno;
		sleep(1);
	}
	return DEFERRED;
}

int main(void)
{
	static char line[4096];
	char *word;
	int console, error;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
	mount("proc", "/proc", "proc", 0, 0);
	console = open("/dev/console", O_RDWR);
	if (dup2(console, 1) < 0 || !freopen("/proc/cmdline", "r", stdin) || !fgets(line, sizeof(line), stdin))
		return 1;
	word = strstr(line, "test.word=");
	word = word ? strtok(word + strlen("test.word="), " \n") : "";
	for (char *blank = word; (blank = strchr(blank, '_')); )
		*blank = ' ';
	error = load();
	printf("test: loading gave %d\n", error);
	fflush(stdout);
	if (!error)
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2, word);
	for (;;)
		pause();
}
