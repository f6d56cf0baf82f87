#!/bin/sh
# SPDX-License-Identifier: MIT
# Finds what the groups named as arguments need (build test check valgrind
# interop bench) and are missing here; installs it by apt-get as root or where
# sudo asks nothing, else prints the line to run and fails. What counts is the
# command, header or module itself, not where it came from. For bench a module
# of npm comes into build/bench/npm, if npm is here and can fetch it; for
# interop Exim comes into build/interop/exim, if apt-get can fetch it.
set -eu
PATH=$PATH:/usr/sbin:/sbin
LUA=${LUA:-lua5.4}

command_() { command -v "$1" >/dev/null 2>&1; }
header() { echo "#include <$1>" | "${CC:-cc}" ${2:+"-I$2"} -E - >/dev/null 2>&1; }
lua() { "$LUA" -e 'assert(_VERSION:find("5%.[45]$"))' -e "${1:-}" >/dev/null 2>&1; }
python_module() { # apt-get installs for the system's own python3
  for python in python3 /usr/bin/python3; do
    "$python" -c "import importlib.util as u; assert u.find_spec('$1')" \
      2>/dev/null && return
  done
  return 1
}
lua_header() {
  [ -n "${LUA_INCDIR:-}" ] && header lua.h "$LUA_INCDIR" && return
  series=$("$LUA" -e 'io.write(_VERSION:match("5%..*"))' 2>/dev/null || echo 5.4)
  for name in "lua$series" "lua-$series" "lua$(echo "$series" | tr -d .)" \
    "lua >= $series lua < $series.99"; do
    pkg-config --exists "$name" 2>/dev/null && return
  done
  return 1
}
library() { ldconfig -p 2>/dev/null | grep -q "$1"; }
fuzzer() { # clang finds the library that it would link
  file=$(clang -### -fsanitize=fuzzer -x c /dev/null 2>&1 |
    tr ' ' '\n' | sed -n 's/^"\(.*clang_rt\.fuzzer.*\.a\)"$/\1/p' | head -n 1)
  [ -f "$file" ]
}
sanitizers() {
  for library in libasan.so libubsan.so; do
    [ -f "$(gcc -print-file-name=$library 2>/dev/null)" ] || return 1
  done
}

# need PACKAGE TEST...: adds the package to the list if the test fails.
need() {
  package=$1
  shift
  "$@" || missing="$missing $package"
}

build_() {
  need gcc command_ "${CC:-cc}"
  need libc6-dev header stdio.h
  need lua5.4 lua
  need liblua5.4-dev lua_header
  need libssl-dev header openssl/ssl.h
  lua_header || need pkg-config command_ pkg-config
}
# Pure Lua, which Debian has only where Lua 5.2 looks for it.
COPAS='package.path = package.path .. ";/usr/share/lua/5.2/?.lua"
  require "copas"'
test_() {
  need lua-busted lua 'require "busted.runner"'
  need lua-argparse lua 'require "argparse"'
  need lua-cjson lua 'require "cjson"'
  need lua-socket lua 'require "socket"'
  need lua-cqueues lua 'require "cqueues"'
  need lua-luv lua 'require "luv"'
  need lua-copas lua "$COPAS"
  for program in curl python3 openssl; do need $program command_ $program; done
  need iproute2 command_ ip
  need util-linux command_ unshare
  # Old Luas, to see what they say of the library.
  for old in lua5.1 lua5.2 lua5.3 luajit; do need $old command_ $old; done
  need libidn2-0 library libidn2.so.0
}
check_() {
  need gcc sanitizers
  need binutils command_ nm
  need clang command_ clang
  need libclang-rt-dev fuzzer
  need clang-format command_ clang-format
  need lua-check command_ luacheck
  need luarocks command_ luarocks
}
valgrind_() {
  need valgrind command_ valgrind
}
perl_module() { perl -e "use $1" >/dev/null 2>&1; }
sasl_plugin() { # Postfix's client finds the plugin that it would load
  for file in /usr/lib/*/sasl2/"$1" /usr/lib/sasl2/"$1"; do
    [ ! -f "$file" ] || return 0
  done
  return 1
}
service() { [ -x /usr/lib/dovecot/"$1" ] || [ -x /usr/libexec/dovecot/"$1" ]; }
# The libraries of the unpacked Exim, by the names of this release.
EXIM=build/interop/exim
exim_links() { ! ldd $EXIM/usr/sbin/exim4 | grep -q "not found"; }
exim_libraries() {
  dpkg-deb -f $EXIM/package.deb Depends | tr ',' '\n' |
    sed -n 's/^ *\(lib[^ ]*\).*/\1/p'
}
interop_() {
  for program in swaks curl python3 msmtp postfix gsasl openssl haproxy; do
    need $program command_ $program
  done
  need dovecot-core command_ dovecot
  need dovecot-lmtpd service lmtp
  if [ -x $EXIM/usr/sbin/exim4 ]; then
    for library in $(exim_libraries); do need "$library" exim_links; done
  fi
  need libsasl2-modules sasl_plugin libscram.so
  need testssl.sh command_ testssl
  need libnet-ssleay-perl perl_module Net::SSLeay
  need libauthen-sasl-perl perl_module Authen::SASL
  need libdigest-hmac-perl perl_module Digest::HMAC_MD5
  need python3-aiosmtpd python_module aiosmtpd
  need python3-pytest python_module pytest
  need python3-dkim python_module dkim
  need python3-nacl python_module nacl
  need nsd command_ nsd
  need unbound command_ unbound
  need ldnsutils command_ ldns-signzone
  need opendkim command_ opendkim
  need opendkim-tools command_ opendkim-testmsg
  need lua-socket lua 'require "socket"'
}
bench_() { # peers that are in Debian; go and node are used if they are here
  need postfix command_ smtp-source
  need libcurl4-openssl-dev header curl/curl.h
  need python3-aiosmtpd python_module aiosmtpd
  need lua-socket lua 'require "socket"'
}

# npm_module NAME: a peer that may be absent. Nothing of it is run here.
npm_module() {
  prefix=build/bench/npm
  [ -d "$prefix/node_modules/$1" ] || ! command_ npm ||
    npm install --prefix "$prefix" --ignore-scripts --no-audit --no-fund "$1" ||
    echo "npm cannot install $1; it is left out" >&2
}

# Exim as a package would drive out Postfix: it is unpacked beside it. Nothing of
# it is set up, and without the bit that gives every user of this machine root.
exim() {
  [ ! -x $EXIM/usr/sbin/exim4 ] && command_ dpkg-deb || return 0
  rm -rf $EXIM
  mkdir -p $EXIM
  fetch="apt-get -q -o APT::Sandbox::User= download exim4-daemon-light"
  (cd $EXIM && { $fetch || { apt-get -q update && $fetch; }; } &&
    mv exim4-daemon-light_*.deb package.deb && dpkg-deb -x package.deb . &&
    chmod u-s usr/sbin/exim4) ||
    echo "apt-get cannot fetch Exim; it is left out" >&2
}

find_missing() {
  missing=
  for group in $groups; do "${group}_"; done
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
}

groups=${*:-build}
case " $groups " in
*" bench "*) npm_module nodemailer ;;
esac
case " $groups " in
*" interop "*) exim ;;
esac
find_missing
[ -n "${missing% }" ] || exit 0

options="install -y --no-install-recommends"
if ! command_ apt-get; then
  echo "missing here; what Debian calls: $missing" >&2
  exit 1
elif [ "$(id -u)" -eq 0 ]; then
  root=
elif command_ sudo && sudo -n true 2>/dev/null; then
  root="sudo -n"
else
  echo "something is missing; install it by: sudo apt-get $options $missing" >&2
  exit 1
fi

apt() {
  $root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
# A release may know a package under no name of its own (it comes with another).
known() {
  for package in $missing; do
    apt-cache show "$package" >/dev/null 2>&1 && printf '%s ' "$package"
  done
  return 0
}

echo "installing: $missing"
packages=$(known)
if [ "$packages" != "$missing" ]; then
  apt update
  packages=$(known)
fi
case " $packages" in
*" postfix "*) # programs only: without a configuration it does not start
  command_ debconf-set-selections &&
    echo "postfix postfix/main_mailer_type select No configuration" |
    $root debconf-set-selections
  ;;
esac
# shellcheck disable=SC2086
apt $options $packages || { apt update && apt $options $packages; }

find_missing
if [ -n "${missing% }" ]; then
  echo "still missing; what Debian calls: $missing" >&2
  exit 1
fi
