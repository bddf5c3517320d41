/* Runs other runtimes for containers on a box that has none of what they are linked with: in a root of their own, made of the layers of an image. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK "/run/hearth/tests/runtimes"
#define ROOT "/run/hearth/tests/root"

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int prepare(const char *device, const char *low, const char *high)
{
    char layers[512];
    mkdir(DISK, 0755);
    mkdir(ROOT, 0755);
    /* A disk on USB takes a while to be found. */
    for (int patience = 240; mount(device, DISK, "ext4", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL); patience--) {
        if (patience == 0 || (errno != ENOENT && errno != ENXIO && errno != ENOMEDIUM && errno != ENODEV))
            return fail(device);
        sleep(1);
    }
    snprintf(layers, sizeof layers, "lowerdir=%s/%s:%s/%s", DISK, high, DISK, low);
    if (mount("overlay", ROOT, "overlay", 0, layers))
        return fail("overlay");
    const char *const shared[] = {"/proc", "/sys", "/dev"};
    for (int i = 0; i < 3; i++) {
        char there[64];
        snprintf(there, sizeof there, "%s%s", ROOT, shared[i]);
        if (mount(shared[i], there, NULL, MS_BIND | MS_REC, NULL))
            return fail(there);
    }
    if (mount("tmpfs", ROOT "/run", "tmpfs", 0, "mode=755") || mount("tmpfs", ROOT "/tmp", "tmpfs", 0, "mode=755"))
        return fail("tmpfs");
    return 0;
}

/* So many containers of the bundle in /tmp/bundle, one after another. */
static int run(const char *runtime, int count)
{
    int null = open("/dev/null", O_RDWR);
    /* Not chroot: whoever is in one makes no user namespaces (user_namespaces(7)). */
    if (null < 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || chdir(ROOT) ||
        syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return fail(ROOT);
    /* Else they take init's NOTIFY_SOCKET for one that is to be in the container. */
    clearenv();
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    for (int i = 0; i < count; i++) {
        char id[32];
        int status = -1;
        snprintf(id, sizeof id, "peer%d-%d", getpid(), i);
        pid_t child = fork();
        if (child == 0) {
            dup2(null, 0);
            dup2(null, 1);
            if (!strcmp(runtime, "crun"))
                execlp("crun", "crun", "--cgroup-manager=cgroupfs", "run", "--bundle", "/tmp/bundle", id, NULL);
            else
                execlp(runtime, runtime, "run", "--bundle", "/tmp/bundle", id, NULL);
            _exit(fail(runtime));
        }
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
            fprintf(stderr, "%s: status %x of container %d\n", runtime, status, i);
            return 1;
        }
    }
    return 0;
}

int main(int count, char **words)
{
    if (count == 5 && !strcmp(words[1], "prepare"))
        return prepare(words[2], words[3], words[4]);
    if (count == 4 && !strcmp(words[1], "run"))
        return run(words[2], atoi(words[3]));
    return 2;
}
