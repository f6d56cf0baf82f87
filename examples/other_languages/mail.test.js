// SPDX-License-Identifier: MIT
// What sends mail, tested with node:test and nodemailer (it is skipped without):
// lua-smtp mock run --rules rules.json --expect 1 -- node --test mail.test.js
const assert = require("node:assert");
const test = require("node:test");

let nodemailer;
try {
  nodemailer = require("nodemailer");
} catch {
  nodemailer = null;
}
const skip = nodemailer ? false : "nodemailer is not here";

function welcome(to) {
  const { SMTP_HOST: host, SMTP_PORT: port } = process.env;
  const transport = nodemailer.createTransport({ host, port, ignoreTLS: true });
  return transport.sendMail({ from: "ada@code.energy", to, subject: "Welcome", text: "It works." });
}

test("a welcome is accepted", { skip }, async () => {
  const info = await welcome("bob@example.org");
  assert.deepStrictEqual(info.accepted, ["bob@example.org"]);
});

test("an unknown recipient is told", { skip }, async () => {
  await assert.rejects(welcome("eve@gone.test"), { responseCode: 550 });
});
