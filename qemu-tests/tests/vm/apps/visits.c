/* An app of one program: counts visits to its page in a file of its volume, and keeps what a visitor gives it. Version 3 spoils the file and ends, as a bad update does. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE "/data/visits"

static int visits(void)
{
    char text[32] = "";
    int file = open(PLACE, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length > 0 ? atoi(text) : 0;
}

static void keep(const char *place, const char *text)
{
    int file = open(place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text, strlen(text)) < 0 || fsync(file) != 0) {
        perror(place);
        exit(2);
    }
    close(file);
}

int main(void)
{
    if (VERSION == 3) {
        keep(PLACE, "-1000");
        fputs("the new format cannot be read\n", stderr);
        return 1;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0) {
        perror("port 80");
        return 2;
    }
    printf("version %d serves\n", VERSION);
    fflush(stdout);
    for (;;) {
        int visitor = accept(listener, 0, 0);
        char request[1024] = "", page[96], number[16];
        if (visitor < 0 || read(visitor, request, sizeof request - 1) <= 0) {
            close(visitor);
            continue;
        }
        int seen = visits();
        /* Whoever looks after its health is no visitor. */
        if (!strncmp(request, "GET / ", 6)) {
            snprintf(number, sizeof number, "%d", ++seen);
            keep(PLACE, number);
        }
        char kept[64], place[80];
        if (sscanf(request, "GET /keep/%63[a-z0-9-] ", kept) == 1) {
            snprintf(place, sizeof place, "/data/%s", kept);
            keep(place, kept);
            printf("kept %s\n", kept);
            fflush(stdout);
        }
        int length = snprintf(page, sizeof page, "version=%d visits=%d", VERSION, seen);
        dprintf(visitor, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length, page);
        shutdown(visitor, SHUT_WR);
        while (read(visitor, request, sizeof request) > 0)
            ;
        close(visitor);
    }
}
