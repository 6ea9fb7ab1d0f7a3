#!/usr/bin/env bash
# Checks alerts and metrics with promtool, and the Kubernetes manifests: rendered where kubectl or kustomize is
# installed, else the plain files. Run from the repository's root by `make lint`; what is not installed is named.
set -euo pipefail

python=.venv/bin/python
alerts=docker/prometheus/alerts.yml

quietly() { # what is said is of interest only where something is wrong
	local said
	said=$("$@" 2>&1) || {
		printf '%s\n' "$said" >&2
		return 1
	}
}

if command -v promtool >/dev/null; then
	quietly promtool check rules "$alerts"
	quietly promtool test rules "${alerts%.yml}.test.yml"
	"$python" -m tests.exposition | quietly promtool check metrics
else
	echo "promtool is not installed: the alerts are not tried (Debian, Ubuntu: apt-get install prometheus)" >&2
fi
"$python" -m tests.kubernetes.manifests
