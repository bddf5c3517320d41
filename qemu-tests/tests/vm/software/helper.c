/* What the runtime's driver does not do for the test: mounts the disk with the layers, and brings the loopback of an app's network up, which is
   netd's task on a box whose apps are installed. Static, and in C, for the reasons of containers/probe.c. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int bring(const char *device, const char *folder)
{
    if (mkdir(folder, 0755) && errno != EEXIST)
        return fail(folder);
    /* A disk on USB takes a while to be found. */
    for (int patience = 240; mount(device, folder, "ext4", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL); patience--) {
        if (patience == 0 || (errno != ENOENT && errno != ENXIO && errno != ENOMEDIUM && errno != ENODEV))
            return fail(device);
        sleep(1);
    }
    return 0;
}

static int up(const char *namespace)
{
    struct ifreq link = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int network = open(namespace, O_RDONLY | O_CLOEXEC), any;

    if (network < 0 || setns(network, CLONE_NEWNET))
        return fail(namespace);
    any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return any < 0 || ioctl(any, SIOCSIFFLAGS, &link) ? fail("lo") : 0;
}

int main(int count, char **words)
{
    if (count == 4 && !strcmp(words[1], "mount"))
        return bring(words[2], words[3]);
    if (count == 3 && !strcmp(words[1], "up"))
        return up(words[2]);
    return 2;
}
