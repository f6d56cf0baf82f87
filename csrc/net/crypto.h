/* SPDX-License-Identifier: MIT */
/* crypto.h: the cryptography of ../core/crypto.h by OpenSSL 3. */
#ifndef SMTP_NET_CRYPTO_H
#define SMTP_NET_CRYPTO_H

#include "../core/crypto.h"

/* Static; never freed. */
SMTP_FUNC const smtp_crypto *smtp_crypto_openssl(void);

#endif
