/* SPDX-License-Identifier: MIT */
/*
** pin.h: keeps the shared object of this code loaded until the process ends.
** Lua unloads it at lua_close, and a running thread, or a fork handler, would
** then have no code.
*/
#ifndef SMTP_NET_PIN_H
#define SMTP_NET_PIN_H

#include "../core/smtp.h"

/*
** Cheap after the first call. It fails only in a program that contains this
** code, which is never unloaded.
*/
SMTP_FUNC void smtp_pin(void);

#endif
