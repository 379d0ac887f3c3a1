#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# manual.sh - the man page and the completion have what --help has. In $OUT lie
# kmag, and above it kmag.1 and kmag.bash. Prints TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
plan 23

here=$(realpath "$(dirname "$0")")
page=$OUT/../kmag.1
PATH=$OUT:$PATH
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -r "$work"' EXIT
: >err
mkdir folder
: >folder/f
: >file.json

# shellcheck disable=SC1090,SC1091 # as users do
. "$OUT/../kmag.bash"

# complete WORD...: what the last word can become, as readline would ask
complete_words()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_kmag "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s\n' "${COMPREPLY[@]}" >out
}

# offers NAME WANTED WORD...: exactly these, in any order
offers()
{
	name=$1 wanted=$2
	shift 2
	complete_words kmag "$@"
	[ "$(sort -u out)" = "$(tr -s ' \n' '\n' <<<"$wanted" | sort -u)" ]
	result $? "$name"
}

commands=$(kmag --help | sed -n 's/^  \([a-z]\+\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 10 ]
result $? 'there are commands'
missing=
options=0
for command in $commands; do
	grep -q "^.SS \"kmag $command " "$page" || missing+=" $command"
	for option in $(kmag "$command" --help | sed -n 's/^  .*--\([a-z-]\+\).*/\1/p'); do
		case $option in
		help|usage|version) continue ;;
		esac
		options=$((options + 1))
		sed -n "/^.SS \"kmag $command /,/^.S[SH]/p" "$page" |
			grep -q -- "^[^.].*\\\\-\\\\-${option//-/\\\\-}\\\\f" || missing+=" $command:$option"
		complete_words kmag "$command" "--$option"
		grep -qx -- "--$option" out || missing+=" completion:$command:$option"
	done
done
echo "# missing:$missing; $options options"
[ -z "$missing" ] && [ $options -gt 15 ]
result $? 'page and completion have every command and option'
groff -man -Tascii -ww -z "$page" >out 2>&1 && ! [ -s out ]
result $? 'troff has no warning'
groff -man -Tascii "$page" 2>/dev/null | sed 's/.\x08//g; s/\x1b\[[0-9;]*m//g' >out
grep -q '^EXIT STATUS' out && grep -q 'not available here' out && ! grep -qF '\(' out
result $? 'it reads well'

seconds=$(sed -n 's/^#define PROGRESS_LINE_NS\t\([0-9]*\)000000000ULL$/\1/p' "$here/../util.c")
for file in "$page" "$here/../../../Documentation/tools.rst"; do
	tr '\n' ' ' <"$file" | grep -q "else in a line every ${seconds:-none} seconds\." || missing+=" $file"
done
[ -z "$missing" ]
result $? 'it tells how often progress shows without a terminal'

offers 'commands' "$commands help --help --version" ''
offers 'a command begun' 'record replay report' re
offers 'a command for help' 'record replay report' help re
offers 'options' '--backend' replay --b
offers 'all options' '--all --heatmap --map --json --report --help' frag --all -
offers 'words of an option' 'kmag slub both' replay --backend ''
offers 'of its short form, begun' 'both' replay -b b
offers 'with =' 'slabs' diff --sort = sl
offers 'with = and nothing yet' 'bytes slabs live operations' diff --sort =
offers 'a value that may be left out' 'on off' stat --latency = ''
offers 'and is' '--json' stat --latency --js
offers 'a number is for the user to know' '' watch --count ''
offers 'files' 'file.json' replay 'fi'
offers 'files and folders' 'file.json folder' report f
offers 'folders alone' 'folder' replay --maps f
offers 'a command of somebody else' 'mktemp' record -- mktem
offers 'and what it takes' 'file.json folder' record -- cat f
offers 'nothing of a command that is none' '' frobnicate f
finished
