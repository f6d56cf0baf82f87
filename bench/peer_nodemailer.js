// SPDX-License-Identifier: MIT
// bench/peer_nodemailer.js FOLDER MESSAGES: bench/compose.lua by nodemailer's MailComposer, which
// is looked for in build/bench/npm. Fifty at a time, as that is when it is quickest.

"use strict";

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { resolve } = require("node:path");

const modules = createRequire(resolve("build/bench/npm/package.json"));
const MailComposer = modules("nodemailer/lib/mail-composer");

const AT_ONCE = 50;
const [folder, count] = process.argv.slice(2);
const subject = readFileSync(`${folder}/subject`, "utf8");
const text = readFileSync(`${folder}/text`, "utf8");
const html = readFileSync(`${folder}/html`, "utf8");
const attachment = readFileSync(`${folder}/attachment`);
const least = text.length + html.length + Math.floor((attachment.length * 4) / 3);

async function compose() {
  const composer = new MailComposer({
    from: "Ada Lovelace <ada@code.energy>",
    to: ["Charles Babbage <charles@example.com>", "Mary Somerville <mary@example.com>"],
    subject, text, html,
    attachments: [{ filename: "notes.pdf", content: attachment }],
  });
  const bytes = await composer.compile().build();
  if (bytes.length <= least) throw new Error(`a message of ${bytes.length} bytes`);
}

async function main() {
  for (let left = Number(count); left > 0; left -= AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, compose));
  }
}

main();
