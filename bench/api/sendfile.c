#define _GNU_SOURCE
// One thread, epoll, sendfile: what a server of files can do at most. Usage: sendfile <folder>; prints its port.
// Answers GET /<name> of files in that folder on connections that stay open; nothing else, and trusts its client.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { connections = 1024, request_bytes = 4096, open_files = 8192 };

struct file { char name[128]; int fd; off_t size; };
struct connection { char request[request_bytes]; size_t filled; int file; off_t at; char head[160]; size_t head_size, head_sent; };

static struct file files[open_files];
static int file_count;
static struct connection table[connections];

static int find(const char* name) {
  unsigned hash = 5381;
  for (const char* c = name; *c; c++) hash = hash * 33 + (unsigned char)*c;
  for (unsigned i = hash % open_files;; i = (i + 1) % open_files) {
    if (files[i].name[0] == 0) {
      if (file_count++ > open_files / 2 || strlen(name) >= sizeof files[i].name) exit(3);
      struct stat status;
      int fd = open(name, O_RDONLY);
      if (fd < 0 || fstat(fd, &status) != 0) exit(4);
      strcpy(files[i].name, name);
      files[i].fd = fd;
      files[i].size = status.st_size;
    }
    if (strcmp(files[i].name, name) == 0) return (int)i;
  }
}

// 1: all is sent; 0: the socket is full; -1: the client is gone.
static int send_rest(int socket, struct connection* c) {
  while (c->head_sent < c->head_size) {
    ssize_t n = send(socket, c->head + c->head_sent, c->head_size - c->head_sent, MSG_MORE | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    c->head_sent += (size_t)n;
  }
  struct file* file = &files[c->file];
  while (c->at < file->size) {
    ssize_t n = sendfile(socket, file->fd, &c->at, (size_t)(file->size - c->at));
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n == 0) return -1;
  }
  c->file = -1;
  return 1;
}

static int serve(int socket, struct connection* c) {
  for (;;) {
    if (c->file >= 0) {
      int sent = send_rest(socket, c);
      if (sent <= 0) return sent;
    }
    char* end = memmem(c->request, c->filled, "\r\n\r\n", 4);
    if (!end) {
      ssize_t n = recv(socket, c->request + c->filled, request_bytes - c->filled, 0);
      if (n < 0) return errno == EAGAIN ? 0 : -1;
      if (n == 0) return -1;
      c->filled += (size_t)n;
      continue;
    }
    *end = 0;
    char name[128];
    if (sscanf(c->request, "GET /%127[^ ]", name) != 1) return -1;
    size_t used = (size_t)(end + 4 - c->request);
    memmove(c->request, c->request + used, c->filled -= used);
    c->file = find(name);
    c->at = 0;
    c->head_sent = 0;
    c->head_size = (size_t)snprintf(c->head, sizeof c->head,
                                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %lld\r\n\r\n",
                                    (long long)files[c->file].size);
  }
}

int main(int count, char** arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 2;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr*)&address, size) || listen(listener, 512) ||
      getsockname(listener, (struct sockaddr*)&address, &size))
    return 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int n = epoll_wait(poll, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (client < 0) continue;
        if (client >= connections) { close(client); continue; }
        int one = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        table[client].filled = 0;
        table[client].file = -1;
        event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = client};
        epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
      } else if (serve(fd, &table[fd]) < 0) {
        close(fd);
      }
    }
  }
}
