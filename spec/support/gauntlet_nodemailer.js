// SPDX-License-Identifier: MIT
// Sends one message by nodemailer; see arguments() of gauntlet_clients.lua.
"use strict";
const fs = require("fs");
const nodemailer = require("../../build/gauntlet/node_modules/nodemailer");

const [host, port, tls, ca, user, pass, timeout, from, to, path, bits] = process.argv.slice(2);
const time = Number(timeout) * 1000;
const transport = nodemailer.createTransport({
  host, port: Number(port), name: "client.code.energy",
  secure: tls === "implicit", requireTLS: tls === "starttls", ignoreTLS: tls === "none",
  tls: ca ? { ca: fs.readFileSync(ca) } : {},
  auth: user ? { user, pass } : undefined,
  connectionTimeout: time, greetingTimeout: time, socketTimeout: time,
});

transport.sendMail({
  envelope: { from, to: to.split(","), use8BitMime: bits === "8bit" },
  raw: fs.readFileSync(path),
}).catch((problem) => {
  console.error(String(problem.message).split("\n")[0]);
  process.exitCode = 1;
});
