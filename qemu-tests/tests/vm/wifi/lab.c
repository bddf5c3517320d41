/* What a household's radio is made of in a box under test: Debian's programs on a disk, run in a root of their own. Static, and in C, for the
   reasons of containers/probe.c.

   lab prepare <device> <lower> <upper>   mounts the disk with the layers, makes one root of them
   lab load <module> <parameters>         loads a module
   lab run <program> ...                  runs a program in that root
   lab start <log> <program> ...          the same, and goes on without it; what it prints is kept */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define PLACE "/run/hearth/tests/"
#define ROOT PLACE "root"

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int share(const char *folder)
{
    char place[256];

    snprintf(place, sizeof place, ROOT "%s", folder);
    if (mkdir(place, 0755) && errno != EEXIST)
        return fail(place);
    return mount(folder, place, NULL, MS_BIND | MS_REC, NULL) ? fail(place) : 0;
}

static int prepare(const char *device, const char *lower, const char *upper)
{
    char options[512];
    const char *folders[] = { PLACE "disk", PLACE "over", PLACE "over/up", PLACE "over/work", ROOT };

    for (int i = 0; i < 2; i++)
        if (mkdir(folders[i], 0755) && errno != EEXIST)
            return fail(folders[i]);
    /* A disk on USB takes a while to be found. */
    for (int patience = 240; mount(device, folders[0], "ext4", MS_RDONLY, NULL); patience--) {
        if (patience == 0 || (errno != ENOENT && errno != ENXIO && errno != ENOMEDIUM && errno != ENODEV))
            return fail(device);
        sleep(1);
    }
    if (mount("over", folders[1], "tmpfs", 0, NULL))
        return fail(folders[1]);
    for (int i = 2; i < 5; i++)
        if (mkdir(folders[i], 0755) && errno != EEXIST)
            return fail(folders[i]);
    snprintf(options, sizeof options, "lowerdir=" PLACE "disk/%s:" PLACE "disk/%s,upperdir=" PLACE "over/up,workdir=" PLACE "over/work",
             upper, lower);
    if (mount("root", ROOT, "overlay", 0, options))
        return fail("overlay");
    return share("/proc") || share("/sys") || share("/dev") || mount("run", ROOT "/run", "tmpfs", 0, NULL);
}

static int load(const char *module, const char *parameters)
{
    int file = open(module, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return fail(module);
    return syscall(SYS_finit_module, file, parameters, 0) && errno != EEXIST ? fail(module) : 0;
}

static int run(char **words)
{
    static char *variables[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", NULL };

    if (chroot(ROOT) || chdir("/"))
        return fail(ROOT);
    execvpe(words[0], words, variables);
    return fail(words[0]);
}

static int start(const char *log, char **words)
{
    int output = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644), input = open("/dev/null", O_RDONLY);

    if (output < 0 || input < 0)
        return fail(log);
    switch (fork()) {
    case -1:
        return fail("fork");
    case 0:
        setsid();
        dup2(input, 0);
        dup2(output, 1);
        dup2(output, 2);
        close_range(3, ~0U, 0);
        return run(words);
    default:
        return 0;
    }
}

int main(int count, char **words)
{
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    if (count == 5 && !strcmp(words[1], "prepare"))
        return prepare(words[2], words[3], words[4]);
    if (count == 4 && !strcmp(words[1], "load"))
        return load(words[2], words[3]);
    if (count > 2 && !strcmp(words[1], "run"))
        return run(words + 2);
    if (count > 3 && !strcmp(words[1], "start"))
        return start(words[2], words + 3);
    return 2;
}
