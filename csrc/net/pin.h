/* SPDX-License-Identifier: MIT */
/*
** pin.h: keeps the shared object that this code is in loaded until the process
** ends. Lua unloads it at lua_close, and a thread that still ran in it, or a
** fork handler, would then run in no code at all.
*/
#ifndef SMTP_NET_PIN_H
#define SMTP_NET_PIN_H

#include "../core/smtp.h"

/*
** Cheap after the first call. It cannot fail but in a program that holds this
** code itself, and that is never unloaded.
*/
SMTP_FUNC void smtp_pin(void);

#endif
