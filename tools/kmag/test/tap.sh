# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# tap.sh - for scripts that print TAP: to be sourced. The files out and err of
# the current folder are what the last command of expect() said, if it was used.

# plan NUMBER: of the tests that will come
plan()
{
	planned=$1
	tests=0
	failures=0
	echo 'TAP version 13'
	echo "1..$planned"
}

result()
{
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests $2"
	else
		failures=$((failures + 1))
		echo "not ok $tests $2"
		[ ! -e err ] || sed 's/^/# /' out err
	fi
}

# expect STATUS PATTERN NAME COMMAND...: ends so, and says so. stderr is one
# sentence, or nothing, apart from live progress and argp's hint.
expect()
{
	status=$1 pattern=$2 name=$3
	shift 3
	"$@" >out 2>err
	got=$?
	good=0
	[ "$got" = "$status" ] || { echo "# status $got, not $status"; good=1; }
	cat out err | grep -q "$pattern" || { echo "# does not say: $pattern"; good=1; }
	if [ "$status" != 0 ]; then
		said=$(grep -c '^kmag' err)
		case $said in
		1|2) ;;
		*) echo "# $said sentences"; good=1 ;;
		esac
	fi
	result $good "$name"
}

# field FILE KEY: the first number of that name in a file of JSON
field()
{
	sed -n "s/^ *\"$2\": \([-0-9.]*\),*$/\1/p" "$1" | head -n 1
}

# Which the tests' folder has beside it in a guest
results=$(cd "$(dirname "$0")/.." && pwd)/results.rst

# explained FILE...: the page of results has each key of each of these files of JSON,
# of which there are some, under its schema, or under what all have
explained()
{
	for file; do
		schema=$(sed -n 's/^ *"schema": "\([^"]*\)",*/\1/p' "$file")
		awk -v schema="$schema" '/: kmag\.[a-z-]*\/1$/ || /^In every/ {
			on = $1 == "In" || $NF == schema; found += on } on
			END { exit found != 2 }' "$results" >section || return 1
		# What counts are called is the kernel's.
		keys=$(sed -n '/"stats": {/,/}/d; s/^ *"\([^"]*\)": .*/\1/p' "$file" | sort -u)
		[ "$(echo "$keys" | wc -l)" -gt 1 ] || return 1
		for key in $keys; do
			grep -q "[\`.]$key\(\[\]\)\?[\`.]" section && continue
			echo "# results.rst does not have $key of $schema"
			return 1
		done
	done
}

# The script's last command: were all tests run, and good?
finished()
{
	[ "$tests" = "$planned" ] && [ "$failures" = 0 ]
}
