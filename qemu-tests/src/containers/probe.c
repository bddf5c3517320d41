/* The only program of the image under test: says what it sees and what it is refused, one "name=value" a line, or behaves badly on demand.
   In C, and static: it makes system calls by their numbers, with arguments that no library would let through. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *outcome(long result) { return result < 0 ? strerrorname_np(errno) : "done"; }

static void say(const char *name, long result) { printf("%s=%s\n", name, outcome(result)); }

static void call(const char *name, long number, long a, long b, long c, long d)
{
    errno = 0;
    say(name, syscall(number, a, b, c, d, 0L, 0L));
}

static void open_to(const char *name, const char *path, int flags)
{
    errno = 0;
    int fd = open(path, flags | O_CLOEXEC, 0644);
    say(name, fd);
    if (fd >= 0)
        close(fd);
}

/* Opens for writing, and writes: some files are refused only then. */
static void write_to(const char *name, const char *path, const char *text)
{
    errno = 0;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    say(name, fd < 0 ? -1 : write(fd, text, strlen(text)));
    if (fd >= 0)
        close(fd);
}

static void list(const char *name, const char *path)
{
    DIR *folder = opendir(path);
    printf("%s=", name);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            printf("%s ", entry->d_name);
    printf("\n");
    if (folder)
        closedir(folder);
}

static void facts(void)
{
    char line[512];
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "Seccomp:", 8) || !strncmp(line, "Uid", 3)
            || !strncmp(line, "Gid", 3) || !strncmp(line, "Groups", 6) || !strncmp(line, "SigBlk", 6) || !strncmp(line, "SigIgn", 6)) {
            for (char *c = line; *c; c++)
                if (*c == '\t')
                    *c = ' ';
            line[strcspn(line, ":")] = '=';
            fputs(line, stdout);
        }
    if (status)
        fclose(status);
    char ids[128] = "";
    int map = open("/proc/self/uid_map", O_RDONLY);
    ssize_t length = read(map, ids, sizeof ids - 1);
    close(map);
    printf("uid_map=%.*s", (int)(length > 0 ? length : 1), length > 0 ? ids : "\n");
    list("pids", "/proc");
    list("dev", "/dev");
    list("sys", "/sys");
    list("fds", "/proc/self/fd");
    list("root", "/");
    gethostname(line, sizeof line);
    printf("host=%s\n", line);
    printf("home=%s\n", getenv("HOME"));
    printf("pid=%d\n", getpid());
    struct statvfs tmp;
    if (!statvfs("/tmp", &tmp))
        printf("tmp_bytes=%llu\n", (unsigned long long)tmp.f_blocks * tmp.f_frsize);
    open_to("write_root", "/new", O_WRONLY | O_CREAT);
    open_to("write_tmp", "/tmp/new", O_WRONLY | O_CREAT);
    open_to("write_volume", "/data/new", O_WRONLY | O_CREAT);
    open_to("write_volume_ro", "/fixed/new", O_WRONLY | O_CREAT);
    struct sockaddr_in low = {.sin_family = AF_INET, .sin_port = htons(80)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    say("port_80", bind(listener, (struct sockaddr *)&low, sizeof low));
}

static void calls(void)
{
    call("mount", SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0);
    call("umount", SYS_umount2, (long)"/tmp", 2, 0, 0);
    call("fsopen", SYS_fsopen, (long)"tmpfs", 0, 0, 0);
    call("open_tree", SYS_open_tree, -100, (long)"/", 1, 0);
    call("pivot_root", SYS_pivot_root, (long)"/", (long)"/", 0, 0);
    call("chroot", SYS_chroot, (long)"/", 0, 0, 0);
    call("unshare_user", SYS_unshare, 0x10000000, 0, 0, 0);
    call("setns", SYS_setns, 0, 0, 0, 0);
    call("clone_user", SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0);
    call("clone_net", SYS_clone, 0x40000000 | SIGCHLD, 0, 0, 0);
    call("clone3", SYS_clone3, 0, 0, 0, 0);
    call("bpf", SYS_bpf, 0, 0, 0, 0);
    call("keyctl", SYS_keyctl, 0, -3, 0, 0);
    call("add_key", SYS_add_key, (long)"user", (long)"k", (long)"v", 1);
    call("ptrace", SYS_ptrace, 0, 0, 0, 0);
    call("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0);
    call("pidfd_getfd", SYS_pidfd_getfd, 0, 0, 0, 0);
    call("io_uring_setup", SYS_io_uring_setup, 1, 0, 0, 0);
    call("userfaultfd", SYS_userfaultfd, 0, 0, 0, 0);
    call("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1);
    call("open_by_handle_at", SYS_open_by_handle_at, 0, 0, 0, 0);
    call("init_module", SYS_init_module, 0, 0, 0, 0);
    call("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
    call("reboot", SYS_reboot, 0, 0, 0, 0);
    call("sethostname", SYS_sethostname, (long)"x", 1, 0, 0);
    call("settimeofday", SYS_settimeofday, 0, 0, 0, 0);
    call("syslog", SYS_syslog, 10, 0, 0, 0);
    call("swapon", SYS_swapon, (long)"/tmp", 0, 0, 0);
    call("unknown", 999, 0, 0, 0, 0);
    call("socket_packet", SYS_socket, AF_PACKET, SOCK_RAW, 0, 0);
    call("socket_alg", SYS_socket, 38, SOCK_SEQPACKET, 0, 0);
    call("socket_vsock", SYS_socket, 40, SOCK_STREAM, 0, 0);
    call("socket_ax25", SYS_socket, 3, SOCK_STREAM, 0, 0);
    call("socket_raw", SYS_socket, AF_INET, SOCK_RAW, 1, 0);
    call("socket_audit", SYS_socket, AF_NETLINK, SOCK_RAW, 9, 0);
    call("socket_route", SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0);
    call("socket_ping", SYS_socket, AF_INET, SOCK_DGRAM, 1, 0);
    call("socketpair_inet", SYS_socketpair, AF_INET, SOCK_STREAM, 0, 0);
    call("personality_no_random", SYS_personality, 0x40000, 0, 0, 0);
    call("personality_query", SYS_personality, 0xffffffff, 0, 0, 0);
}

static const char *const MASKED[] = {"acpi",   "asound",  "config.gz", "dynamic_debug", "interrupts",    "iomem", "ioports",    "kallsyms",
                                     "kcore",  "keys",    "key-users", "latency_stats", "modules",       "scsi",  "timer_list", "sched_debug"};
static const char *const READ_ONLY[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys"};
static const char *const GROUP[] = {"memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"};
static const char *const NAMESPACES[] = {"user", "mnt", "pid", "ipc", "uts", "cgroup", "net"};
static const char *const NODES[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const char *const LINKS[] = {"fd", "stdin", "stdout", "stderr", "ptmx"};
#define EACH(name, list) for (size_t name = 0; name < sizeof(list) / sizeof *(list); name++)

static void line_of(const char *name, const char *path)
{
    char line[256] = "";
    FILE *file = fopen(path, "re");
    if (file && fgets(line, sizeof line, file))
        line[strcspn(line, "\n")] = 0;
    if (file)
        fclose(file);
    printf("%s=%s\n", name, line);
}

static void link_of(const char *kind, const char *name, const char *folder)
{
    char path[128], target[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ssize_t length = readlink(path, target, sizeof target);
    printf("%s:%s=%.*s\n", kind, name, (int)(length > 0 ? length : 0), target);
}

/* What a masked path is: "absent", "null" (the device), "empty" (a folder), or "open". */
static void masked(const char *name)
{
    char path[128];
    struct stat is;
    snprintf(path, sizeof path, "/proc/%s", name);
    const char *found = "open";
    if (stat(path, &is) != 0)
        found = "absent";
    else if (S_ISCHR(is.st_mode) && is.st_rdev == makedev(1, 3))
        found = "null";
    else if (S_ISDIR(is.st_mode)) {
        DIR *folder = opendir(path);
        int entries = 0;
        while (folder && readdir(folder))
            entries++;
        found = folder && entries == 2 ? "empty" : "open";
        if (folder)
            closedir(folder);
    }
    printf("masked:%s=%s\n", name, found);
}

/* "mount:<point>=<type> <options> <propagation or ->", in the order in which they were made. */
static void mounts(void)
{
    char line[4096];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    for (int number = 0; file && fgets(line, sizeof line, file); number++) {
        char *point = 0, *options = 0, *type = 0, *propagation = "-";
        int field = 0, tail = 0;
        for (char *word = strtok(line, " \n"); word; word = strtok(0, " \n"), field++) {
            if (field == 4)
                point = word;
            else if (field == 5)
                options = word;
            else if (field > 5 && !tail && !strcmp(word, "-"))
                tail = field;
            else if (field > 5 && !tail)
                propagation = word;
            else if (tail && field == tail + 1)
                type = word;
        }
        printf("mount:%s=%d %s %s %s\n", point, number, type, options, propagation);
    }
    if (file)
        fclose(file);
}

/* What a container is given, as the kernel tells it. */
static void given(void)
{
    char text[256];
    printf("cwd=%s\n", getcwd(text, sizeof text));
    printf("ODD=%s\n", getenv("ODD"));
    line_of("oom", "/proc/self/oom_score_adj");
    mode_t mask = umask(0);
    printf("umask=%03o\n", mask);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    printf("files=%llu %llu\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    getrlimit(RLIMIT_CORE, &limit);
    printf("core=%llu %llu\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    line_of("gid_map", "/proc/self/gid_map");
    EACH(i, NAMESPACES)
        link_of("ns", NAMESPACES[i], "/proc/self/ns");
    EACH(i, GROUP) {
        snprintf(text, sizeof text, "/sys/fs/cgroup/%s", GROUP[i]);
        line_of(GROUP[i], text);
    }
    EACH(i, MASKED)
        masked(MASKED[i]);
    EACH(i, READ_ONLY) {
        struct statvfs is;
        int found = statvfs(READ_ONLY[i], &is) == 0;
        printf("read_only:%s=%s\n", READ_ONLY[i], !found ? "absent" : is.f_flag & ST_RDONLY ? "yes" : "no");
    }
    say("sys_new", mkdir("/sys/new", 0755));
    EACH(i, NODES) {
        struct stat is = {0};
        snprintf(text, sizeof text, "/dev/%s", NODES[i]);
        int found = stat(text, &is) == 0 && S_ISCHR(is.st_mode);
        printf("node:%s=%s %u:%u\n", NODES[i], found ? "c" : "none", major(is.st_rdev), minor(is.st_rdev));
    }
    EACH(i, LINKS)
        link_of("link", LINKS[i], "/dev");
    mounts();
}

static int child_that_changes_root(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_TRUNC);
}

/* Each a known way out, down to the step that has to fail. */
static void escapes(void)
{
    write_to("core_pattern", "/proc/sys/kernel/core_pattern", "|/tmp/x");
    write_to("modprobe", "/proc/sys/kernel/modprobe", "/tmp/x");
    write_to("sysrq", "/proc/sysrq-trigger", "b");
    write_to("uevent_helper", "/sys/kernel/uevent_helper", "/tmp/x");
    open_to("release_agent", "/sys/fs/cgroup/release_agent", O_WRONLY);
    write_to("cgroup_procs", "/sys/fs/cgroup/cgroup.procs", "1");
    write_to("cgroup_memory", "/sys/fs/cgroup/memory.max", "max");
    write_to("cgroup_pids", "/sys/fs/cgroup/pids.max", "max");
    say("cgroup_child", mkdir("/sys/fs/cgroup/child", 0755));
    say("init_exe", child_that_changes_root());
    open_to("init_program", "/.hearth/init", O_WRONLY);
    say("init_replace", unlink("/.hearth/init"));
    open_to("pid1_exe", "/proc/1/exe", O_RDONLY);
    open_to("pid1_memory", "/proc/1/mem", O_RDWR);
    open_to("pid1_end_file", "/proc/1/fd/0", O_WRONLY);
    open_to("pid1_root", "/proc/1/root/etc/hosts", O_RDONLY);
    say("mknod_disk", mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)));
    say("mknod_mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
    say("mknod_dev", mknod("/dev/disk", S_IFBLK | 0600, makedev(254, 0)));
    say("mknod_volume", mknod("/data/disk", S_IFBLK | 0600, makedev(254, 0)));
    char byte;
    int kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    printf("kcore=%s\n", read(kcore, &byte, 1) == 0 ? "empty" : strerrorname_np(errno));
    open_to("kmsg", "/dev/kmsg", O_RDONLY);
    open_to("box_data", "/data/../../data/state", O_RDONLY);
    /* What a symbolic link in a volume shows is the container's own. */
    unlink("/data/link");
    say("link_in_volume", symlink("/../../../../run/hearth", "/data/link"));
    open_to("through_link", "/data/link/services.json", O_RDONLY);
    open_to("planted_link", "/planted/services.json", O_RDONLY);
    say("chown_beyond", chown("/tmp", 70000, 0));
    say("setuid_beyond", setuid(70000));
    say("kill_box", kill(-1, 0) == 0 ? 0 : -1);
    struct stat outside;
    say("cwd_outside", stat("../../../../../../run/hearth", &outside));
}

static void eat(void)
{
    for (;;) {
        char *block = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block != MAP_FAILED)
            memset(block, 1, 1 << 20);
    }
}

static void breed(void)
{
    int children = 0;
    for (; children < 1000; children++) {
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        if (child < 0)
            break;
    }
    printf("children=%d\nfork=%s\n", children, strerrorname_np(errno));
}

static void fill(const char *path)
{
    static char block[1 << 16];
    long total = 0, written;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    while ((written = write(fd, block, sizeof block)) > 0)
        total += written;
    printf("filled=%ld\nfill=%s\n", total, strerrorname_np(errno));
}

/* Takes all the processor time that it gets, in as many processes as it may have. */
static void swarm(void)
{
    puts("swarming");
    while (fork() >= 0)
        ;
    for (;;)
        ;
}

/* Writes to the disk all the time. */
static void churn(const char *path)
{
    static char block[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    puts("churning");
    for (long piece = 0;; piece++) {
        if (pwrite(fd, block, sizeof block, (piece % 256) * (long)sizeof block) < 0)
            exit(1);
        if (piece % 64 == 0)
            fdatasync(fd);
    }
}

static int by_size(const void *one, const void *other)
{
    long difference = *(const long *)one - *(const long *)other;
    return difference < 0 ? -1 : difference > 0;
}

/* Asks a server of its own once in a while, as a visitor does; how long the answers take, in microseconds. */
static void visits(int times)
{
    int ends[2];
    char byte = 0;
    long *all = calloc(times, sizeof *all);
    if (times < 1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        exit(1);
    if (fork() == 0) {
        close(ends[0]);
        while (read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1)
            ;
        exit(0);
    }
    close(ends[1]);
    for (int i = 0; i < times; i++) {
        struct timespec begun, ended, pause = {.tv_nsec = 2000000};
        nanosleep(&pause, 0);
        clock_gettime(CLOCK_MONOTONIC, &begun);
        if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
            exit(1);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        all[i] = (ended.tv_sec - begun.tv_sec) * 1000000 + (ended.tv_nsec - begun.tv_nsec) / 1000;
    }
    qsort(all, times, sizeof *all, by_size);
    printf("p50=%ld\np99=%ld\n", all[times / 2], all[times * 99 / 100]);
}

static void on_quit(int signal)
{
    (void)signal;
    static const char text[] = "asked to stop\n";
    if (write(1, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(42);
}

int main(int count, char **words)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    const char *what = count > 1 ? words[1] : "facts";
    if (!strcmp(what, "facts"))
        facts();
    else if (!strcmp(what, "given"))
        given();
    else if (!strcmp(what, "calls"))
        calls();
    else if (!strcmp(what, "escapes"))
        escapes();
    else if (!strcmp(what, "eat"))
        eat();
    else if (!strcmp(what, "breed"))
        breed();
    else if (!strcmp(what, "fill"))
        fill(words[2]);
    else if (!strcmp(what, "swarm"))
        swarm();
    else if (!strcmp(what, "churn"))
        churn(words[2]);
    else if (!strcmp(what, "visits"))
        visits(atoi(words[2]));
    else if (!strcmp(what, "exit"))
        return atoi(words[2]);
    else if (!strcmp(what, "die"))
        raise(atoi(words[2]));
    else if (!strcmp(what, "orphan")) {
        /* Two that nobody waits for: one that has ended, one that goes on. */
        if (fork() == 0 && fork() == 0)
            for (;;)
                pause();
        puts("left behind");
    } else if (!strcmp(what, "wait") || !strcmp(what, "stubborn")) {
        signal(count > 2 ? atoi(words[2]) : SIGQUIT, what[0] == 'w' ? on_quit : SIG_IGN);
        puts("waiting");
        for (;;)
            pause();
    } else
        return 99;
    return 0;
}
