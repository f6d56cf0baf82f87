# lua-smtp: `make` builds, `make test` tests, `make check` checks the rest.
# `make help` lists the targets; B, CC, CFLAGS, LUA and LUA_INCDIR may be
# given, and V=1 shows the commands.

B ?= build
CFLAGS ?= -O2 -g
FUZZ_SECONDS ?= 20
ifndef LUA
LUA := $(shell for l in lua5.4 lua-5.4 lua54 lua5.5 lua-5.5 lua55 lua; do \
  $$l -e 'os.exit(_VERSION:find("5%.[45]$$") ~= nil)' 2>/dev/null && echo $$l \
  && break; done)
endif
ifndef LUA_INCDIR
SERIES := $(shell $(or $(LUA),false) -e 'io.write(_VERSION:match("5%..*"))' \
  2>/dev/null || echo 5.4)
LUA_INCDIR := $(patsubst -I%,%,$(firstword $(shell for p in lua$(SERIES) \
  lua-$(SERIES) lua$(subst .,,$(SERIES)) "lua >= $(SERIES) lua < $(SERIES).99"; \
  do pkg-config --cflags-only-I "$$p" 2>/dev/null && break; done)))
endif

OPENSSL_CFLAGS := $(shell pkg-config --cflags openssl 2>/dev/null)
OPENSSL_LIBS := $(or $(shell pkg-config --libs openssl 2>/dev/null), \
  -lssl -lcrypto)

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

# LUA_* reach what specs and examples start; the two ; are Lua's own default.
export LUA LUA_INCDIR CC FUZZ_SECONDS
export LUA_PATH = lua/?.lua;lua/?/init.lua;;
export LUA_CPATH = $(B)/?.so;;

# The core is pure C99; what meets the system may ask it for POSIX, and for
# more in the file that needs it (csrc/net/feature.h).
C99 = -std=c99 -fPIC -pthread -Wall -Wextra -MMD -MP
core_FLAGS = $(C99)
rest_FLAGS = $(C99) -D_POSIX_C_SOURCE=200809L $(addprefix -I,$(LUA_INCDIR)) \
  $(OPENSSL_CFLAGS)
SHARED = -shared -pthread
ifeq ($(shell uname -s),Darwin)
SHARED = -bundle -undefined dynamic_lookup
LDLIBS += -liconv
endif

CORE = $(sort $(wildcard csrc/core/*.c))
MIME = $(sort $(wildcard csrc/mime/*.c))
REST = $(filter-out $(CORE),$(sort $(wildcard csrc/*/*.c)))
PROBED = $(addprefix csrc/mock/,plan.c record.c rule.c text.c)
PROBE = $(sort $(wildcard spec/support/probe*.c))
FUZZ = $(sort $(wildcard fuzz/*.c))
say = $(if $(V),,@echo "  $(1) $@";)
object = $(patsubst %.c,$(B)/obj/%.o,$(1))

all: $(B)/smtp/core.so $(if $(PROBE),$(B)/probe.so)
	@:

$(B)/smtp/core.so: $(call object,$(CORE) $(REST))
$(B)/probe.so: $(call object,$(CORE) $(MIME) $(PROBED) $(PROBE))
$(B)/smtp/core.so: LDLIBS += $(OPENSSL_LIBS)
$(B)/%.so:
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(SHARED) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(call object,$(CORE)): $(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(core_FLAGS) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(call object,$(REST) $(PROBE) $(FUZZ) spec/support/steps.c): $(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(rest_FLAGS) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# A core.so that counts its steps, for spec/linear_spec.lua, which calls for it.
STEPS = $(patsubst %.c,$(B)/steps/obj/%.o,$(CORE) $(MIME))
$(B)/steps/smtp/core.so: LDLIBS += $(OPENSSL_LIBS)
$(B)/steps/smtp/core.so: $(STEPS) $(B)/obj/spec/support/steps.o \
  $(call object,$(filter-out $(MIME),$(REST)))
$(STEPS): $(B)/steps/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(rest_FLAGS) $(CPPFLAGS) $(CFLAGS) \
	  -fsanitize-coverage=trace-pc -c $< -o $@

# One program a file of fuzz/, each with the whole core and all of csrc/mime.
fuzzers: $(patsubst fuzz/%.c,$(B)/%,$(FUZZ))
$(patsubst fuzz/%.c,$(B)/%,$(FUZZ)): $(B)/%: $(B)/obj/fuzz/%.o \
  $(call object,$(CORE) $(MIME))
	$(call say,link)$(CC) $(LDFLAGS) $^ -o $@

-include $(patsubst %.o,%.d,$(STEPS) \
  $(call object,$(CORE) $(REST) $(PROBE) $(FUZZ)))

# The targets below need programs that may be missing; scripts/setup.sh looks,
# and installs them where it may. So each builds by a make of its own, afterwards.
demo:
	@scripts/setup.sh build
	@$(MAKE) --no-print-directory all
	@$${LUA:-lua5.4} examples/demo.lua

test:
	@scripts/setup.sh build test
	@$(MAKE) --no-print-directory all
	@scripts/test.sh $(SPEC)

interop:
	@scripts/setup.sh build test interop
	@$(MAKE) --no-print-directory all
	@scripts/test.sh spec/interop

bench:
	@scripts/setup.sh build bench
	@$(MAKE) --no-print-directory all
	@bench/run
	@bench/round_trips -w
	@bench/idle_sessions -w

# Instructions of our own code, with their least in bench/instructions.json.
instructions: export CFLAGS := $(CFLAGS)
instructions: all
	@bench/instructions -w

instructions-check: export CFLAGS := $(CFLAGS)
instructions-check: all
	@bench/instructions -c

# Runs clients through the gauntlet of the mock, and writes docs/gauntlet.md.
gauntlet: all
	@$(LUA) scripts/gauntlet.lua

CHECKS = lint layers exports rock docs-check instructions-check sanitize fuzz
check:
	@scripts/setup.sh build test check
	+@scripts/check.sh $(CHECKS)

lint:
	@scripts/lint.sh

layers:
	@$(LUA) scripts/layers.lua

exports: all
	@scripts/exports.sh $(B)

rock:
	@$(LUA) scripts/rockspec.lua check
	@scripts/rock.sh

# Writes the list of C files in the rockspec anew.
rockspec:
	@$(LUA) scripts/rockspec.lua write

docs:
	@$(LUA) scripts/reference.lua write
	@$(LUA) scripts/states.lua write

docs-check: all
	@$(LUA) scripts/reference.lua check
	@$(LUA) scripts/border.lua
	@$(LUA) scripts/states.lua check

# gcc, since its sanitizers are shared objects that a plain Lua can preload.
sanitize:
	@$(MAKE) --no-print-directory all B=build/asan CC=gcc CFLAGS="-O1 -g \
	  -fno-omit-frame-pointer -fno-sanitize-recover=all" \
	  CPPFLAGS=-fsanitize=address,undefined \
	  LDFLAGS=-fsanitize=address,undefined
	@scripts/sanitize.sh

fuzz:
	@$(MAKE) --no-print-directory fuzzers B=build/fuzz CC=clang CFLAGS="-O1 \
	  -g -fno-omit-frame-pointer -fno-sanitize-recover=all" \
	  CPPFLAGS=-fsanitize=fuzzer-no-link,address,undefined \
	  LDFLAGS=-fsanitize=fuzzer,address,undefined
	@scripts/fuzz.sh $(patsubst fuzz/%.c,%,$(FUZZ))

valgrind:
	@scripts/setup.sh build test valgrind
	@$(MAKE) --no-print-directory all
	@scripts/valgrind.sh

# Threads: the helpers' own, and those of what is called from them.
tsan:
	@scripts/setup.sh build test check
	@$(MAKE) --no-print-directory all B=build/tsan CC=gcc CFLAGS="-O1 -g \
	  -fno-omit-frame-pointer" CPPFLAGS=-fsanitize=thread \
	  LDFLAGS=-fsanitize=thread
	@scripts/tsan.sh

# Plants small faults in copies of the tree and runs the specs against each.
mutants:
	@scripts/setup.sh build test
	@LUA=$${LUA:-lua5.4} && $$LUA scripts/mutants.lua N=$(N) SEED=$(SEED) \
	  DIR=$(DIR) J=$(J) WITHIN=$(WITHIN)

clean:
	rm -rf build

help:
	@echo "make            build/smtp/core.so"
	@echo "make demo       a message from a client to a server, shown"
	@echo "make test       every spec; the last line counts them"
	@echo "                SPEC=spec/client: those of a folder or a file"
	@echo "make check      $(CHECKS)"
	@echo "make interop    the specs against other programs, installed first"
	@echo "make valgrind   the specs under memcheck, without #slow"
	@echo "make tsan       what has threads, under ThreadSanitizer"
	@echo "make mutants    small faults, N=60 of them by SEED, in DIR: who notices?"
	@echo "make bench      the benchmarks"
	@echo "make instructions  what each thing costs: bench/instructions.json"
	@echo "make gauntlet   clients against hostile servers: docs/gauntlet.md"
	@echo "make docs       docs/reference.md from types/smtp/*.d.lua, and"
	@echo "                docs/states/ from the tables of states in csrc/core"
	@echo "make rockspec   the rockspec's list of C files, anew"
	@echo "make clean      removes build/"

.PHONY: all fuzzers demo test interop bench instructions instructions-check gauntlet check lint layers exports rock \
  rockspec docs docs-check sanitize fuzz valgrind tsan mutants clean help
