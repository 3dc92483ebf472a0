# SPDX-License-Identifier: MIT OR Apache-2.0
# The front of the build; Meson does the work. `make help` lists the targets.
BUILD ?= build
SECONDS ?= 60
TARGET ?=
ONLY ?=

-include $(BUILD)/deps.env

MESON_ARGS = $(if $(VD_OPENSSL_PREFIX),-Dopenssl_prefix=$(VD_OPENSSL_PREFIX)) \
	$(if $(VD_MBEDTLS_SRC),-Dmbedtls_src=$(VD_MBEDTLS_SRC)) \
	$(if $(VD_KERNEL_PRIMARY),-Dvmlinux_h=$(VD_KERNEL_PRIMARY)/vmlinux.h)

.PHONY: build run test bench fuzz check format proof help configure setup clean test-long test-sanitize

build: configure ## build everything into build/
	ninja -C $(BUILD)

setup: ## install what is missing and write build/deps.env
	VD_BUILD=$(BUILD) scripts/setup

$(BUILD)/deps.env:
	@VD_BUILD=$(BUILD) scripts/setup

# What scripts/setup found may change: then the options are set anew.
$(BUILD)/configured: $(BUILD)/deps.env
	meson setup $(if $(wildcard $(BUILD)/build.ninja),--reconfigure) $(MESON_ARGS) $(BUILD)
	@touch $@

configure: $(BUILD)/configured

run: build ## boot the system image in a VM and print the report
	image/run --build $(BUILD)

test: build ## every test that fits in 15 minutes
	scripts/run-tests --build $(BUILD) --suite unit --suite integration --suite system

test-long: build ## the tests that take long: the reference policy, many boots
	scripts/run-tests --build $(BUILD) --suite long

test-sanitize: configure ## the unit tests under the address and undefined-behaviour sanitizers
	@test -f $(BUILD)-sanitize/build.ninja || meson setup $(MESON_ARGS) -Db_sanitize=address,undefined \
		-Db_lundef=false $(BUILD)-sanitize
	ninja -C $(BUILD)-sanitize
	scripts/run-tests --build $(BUILD)-sanitize --suite unit

bench: build ## benchmarks into build/bench.jsonl; ONLY=NAME for one
	scripts/run-bench --build $(BUILD) $(if $(ONLY),--only $(ONLY))

fuzz: configure ## libFuzzer over every parser; TARGET=x, SECONDS=n, GROW=1
	scripts/run-fuzz --seconds $(SECONDS) $(if $(TARGET),--target $(TARGET)) $(if $(GROW),--grow) -- $(MESON_ARGS)

check: build ## style, layers, sizes, analyzers, every --help
	scripts/check --build $(BUILD)

proof: configure ## bounded proofs of core/ with the model checker CBMC
	@. ./$(BUILD)/deps.env && VD_CBMC=$$VD_CBMC scripts/run-proofs

format: ## clang-format over the C files
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove the build directories
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-fuzz

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | sort | expand -t 18
