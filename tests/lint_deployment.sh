#!/usr/bin/env bash
# Checks alerts and metrics with promtool, and the Kubernetes manifests: rendered where kubectl or kustomize is
# installed, else the plain files. Run from the repository's root by `make lint`; what is not installed is named.
set -euo pipefail

python=.venv/bin/python
alerts=docker/prometheus/alerts.yml

if command -v promtool >/dev/null; then
	promtool --version 2>&1 | head -n 1
	promtool check rules "$alerts" >/dev/null
	promtool test rules "${alerts%.yml}.test.yml" >/dev/null
	"$python" -m tests.exposition | promtool check metrics
else
	echo "promtool is not installed: the alerts are not tried (Debian, Ubuntu: apt-get install prometheus)" >&2
fi
