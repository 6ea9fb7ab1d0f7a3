#!/usr/bin/env bash
# usage: system_packages.sh PROGRAM...: installs those of java, mvn, redis-server, chromium and others that are missing.
# Only root on a Debian family can; elsewhere nothing happens, and what needs the program says how to install it.
set -euo pipefail

java_least=17

is_installed() {
	command -v "$1" >/dev/null || return 1
	test "$1" != java || is_java_new_enough
}

is_java_new_enough() {
	[[ $(java -version 2>&1) =~ version\ \"(1\.)?([0-9]+) ]] && ((BASH_REMATCH[2] >= java_least))
}

missing() {
	for program in "$@"; do
		is_installed "$program" || echo "$program"
	done
}

packages_of() {
	case $1 in
		java) apt-cache --names-only search '^openjdk-(17|21)-jre-headless$' | cut -d ' ' -f 1 | sort | tail -n 1 ;;
		mvn) echo maven ;;
		chromium) echo chromium fonts-dejavu-core ;;
		*) echo "$1" ;;
	esac
}

install() {
	local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
	export DEBIAN_FRONTEND=noninteractive
	echo "installing $* with apt-get"
	"${apt[@]}" update
	# shellcheck disable=SC2046 # one program may come from several packages
	"${apt[@]}" install -y --no-install-recommends $(for program in "$@"; do packages_of "$program"; done) >/dev/null
}

if [[ -z $(missing "$@") || $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
	exit 0
fi
exec 9</tmp # apt-get fails where another one runs: one of these scripts at a time
flock 9
mapfile -t programs < <(missing "$@")
test "${#programs[@]}" = 0 || install "${programs[@]}" || echo "apt-get could not install: ${programs[*]}" >&2
