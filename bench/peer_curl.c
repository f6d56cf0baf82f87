/* SPDX-License-Identifier: MIT */
/*
 * bench/peer_curl: libcurl as a client, one easy handle used again and again.
 *
 *   peer_curl PORT MESSAGES
 *
 * libcurl keeps the connection between transfers; it sends one command at a
 * time, and the message of 1,024 bytes through its read callback.
 */
#include "net.h"
#include <curl/curl.h>

#define MESSAGE 1024
#define LINE 64

static char message[MESSAGE];
static size_t taken;

static size_t give(char *out, size_t size, size_t count, void *unused) {
  size_t n = size * count;
  (void)unused;
  if (n > MESSAGE - taken) n = MESSAGE - taken;
  memcpy(out, message + taken, n);
  taken += n;
  return n;
}

int main(int argc, char **argv) {
  struct curl_slist *recipients = NULL;
  unsigned long messages;
  char url[64];
  CURL *curl;
  size_t i;
  if (argc != 3) return 2;
  snprintf(url, sizeof url, "smtp://127.0.0.1:%lu/bench",
           number(argv[1], 65535));
  messages = number(argv[2], 100000000);
  for (i = 0; i < MESSAGE; i++)
    message[i] = i % LINE == LINE - 2   ? '\r'
                 : i % LINE == LINE - 1 ? '\n'
                                        : 'x';
  memcpy(message, "Subject: bench\r\n\r\n", 18);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl = curl_easy_init();
  recipients = curl_slist_append(recipients, "<charles@example.com>");
  if (!curl || !recipients) return 1;
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "<ada@code.energy>");
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  while (messages-- > 0) {
    CURLcode code;
    taken = 0;
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
      fprintf(stderr, "peer_curl: %s\n", curl_easy_strerror(code));
      return 1;
    }
  }
  curl_slist_free_all(recipients);
  curl_easy_cleanup(curl);
  curl_global_cleanup();
  return 0;
}
