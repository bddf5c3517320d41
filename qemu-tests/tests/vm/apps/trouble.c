/* An app that does what its visitor asks for, and that no app should do: uses up processes, memory, files, the log, the disk. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void breed(void)
{
    for (;;)
        fork();
}

static void eat(void)
{
    for (;;) {
        volatile char *block = malloc(1 << 20);
        for (int i = 0; block && i < 1 << 20; i += 4096)
            block[i] = 1;
    }
}

static void hold(void)
{
    /* As many again in each further process. */
    for (;;) {
        int opened = 0;
        while (open("/dev/null", O_RDONLY) >= 0)
            opened++;
        printf("files: %s after %d\n", strerror(errno), opened);
        fflush(stdout);
        if (fork() != 0)
            for (;;)
                pause();
        closefrom(3);
    }
}

static void talk(void)
{
    for (;;)
        puts("nobody wants to know this, and it is said all the same, again and again and again and again");
}

/* Pieces of 1 MiB. */
#define WRITTEN 300

static void fill(void)
{
    static char block[1 << 20];
    int file = open("/data/big", O_WRONLY | O_CREAT | O_APPEND, 0600);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < WRITTEN && write(file, block, sizeof block) > 0; i++)
        ;
    /* The rest is taken without being written: an emulated disk is slow. */
    for (off_t size = lseek(file, 0, SEEK_END), piece = 1 << 30; piece >= 4096;)
        if (fallocate(file, 0, size, piece) == 0)
            size += piece;
        else
            piece /= 2;
    printf("disk: %s\n", strerror(errno));
    fflush(stdout);
    pause();
}

static const struct {
    const char *path;
    void (*do_it)(void);
} TROUBLE[] = {{"breed", breed}, {"eat", eat}, {"hold", hold}, {"talk", talk}, {"fill", fill}};

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0) {
        perror("port 80");
        return 2;
    }
    for (;;) {
        int visitor = accept(listener, 0, 0);
        char request[1024] = "";
        if (visitor < 0 || read(visitor, request, sizeof request - 1) <= 0) {
            close(visitor);
            continue;
        }
        dprintf(visitor, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell");
        shutdown(visitor, SHUT_WR);
        close(visitor);
        for (size_t i = 0; i < sizeof TROUBLE / sizeof *TROUBLE; i++)
            if (!strncmp(request + strlen("GET /"), TROUBLE[i].path, strlen(TROUBLE[i].path)) && fork() == 0) {
                close(listener);
                TROUBLE[i].do_it();
            }
    }
}
