#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cli.sh - commands that need no kernel, on good input and bad. In $OUT lies
# kmag. Prints TAP.

# shellcheck disable=SC1091 # it is checked itself
. "$(dirname "$0")/tap.sh"
plan 172

here=$(realpath "$(dirname "$0")")
PATH=$OUT:$PATH
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -r "$work"' EXIT

stat_keys='flags object_size stride align order slab_slots capacity slots live cpu_objs
depot_objs slab_free empty_free transit skew slabs slabs_needed slab_bytes tail_bytes
mag_bytes meta_bytes empty_bytes needed_bytes'
stats='alloc_mag alloc_depot alloc_slab alloc_page alloc_fail free_mag free_depot free_slab
free_page free_bad swap depot_visit depot_contended depot_no_empty refill refill_objs flush
flush_objs busy fence slab_new slab_freed slab_fallback parked'

# cache NAME ID [KEY=NUMBER...]: as stat tells it, 0 where nothing is said
cache()
{
	declare -A say=()
	local word list=
	printf '{"name": "%s", "id": %s' "$1" "$2"
	shift 2
	for word; do
		say[${word%%=*}]=${word#*=}
	done
	for word in $stat_keys; do
		printf ', "%s": %s' "$word" "${say[$word]:-0}"
	done
	for word in $stats; do
		list+=", \"$word\": ${say[$word]:-0}"
	done
	printf ', "stats": {%s}}' "${list#, }"
}

# snapshot TIME CACHE...: of what cache() printed
snapshot()
{
	local time=$1 list
	shift
	list=$(printf ', %s' "$@")
	printf '{"schema": "kmag.stat/1", "time_ns": %s, "caches": [%s]}\n' "$time" "${list#, }"
}

a1=$(cache alpha 1 object_size=64 stride=64 live=10 slabs=1 slabs_needed=1 slab_bytes=4096 needed_bytes=4096 \
	alloc_mag=10)
a2=$(cache alpha 1 object_size=64 stride=64 live=110 slabs=3 slabs_needed=2 slab_bytes=12288 needed_bytes=8192 \
	alloc_mag=100 alloc_depot=5 alloc_slab=3 alloc_page=2 free_mag=4 free_depot=3 \
	free_slab=2 free_page=1)
b1=$(cache beta 2 object_size=64 stride=64 live=7 slabs=9 slabs_needed=1 slab_bytes=36864 needed_bytes=4096 \
	alloc_mag=500)
b2=$(cache beta 2 object_size=64 stride=64 live=7 slabs=2 slabs_needed=1 slab_bytes=8192 needed_bytes=4096 \
	alloc_mag=501)
still=$(cache still 3 live=1 slabs=1 slab_bytes=4096)
fresh=$(cache 'odd|na*me' 4 live=1 slabs=1 slab_bytes=4096 needed_bytes=4096 alloc_mag=1)
snapshot 1000000000 "$a1" "$b1" "$still" >one.json
snapshot 3500000000 "$a2" "$b2" "$still" "$fresh" >two.json
cat >slabs.json <<'J'
{"schema": "kmag.frag/1", "time_ns": 9000000000, "caches": [{"name": "alpha", "id": 1,
"slabs_held": 5, "slabs_needed": 2, "bytes_held": 20480, "bytes_back": 12288,
"slabs_by_fullness": [1, 1, 0, 0, 0, 0, 0, 0, 1, 2]}]}
J

for command in stat frag record replay run stress import watch diff report; do
	expect 0 "^Usage: kmag $command" "help of $command" kmag $command --help
	expect 2 'unrecognized option' "$command with an option that is none" \
		kmag $command --frobnicate
done

expect 0 '^Usage: kmag run ' 'help of a command, asked for the other way' kmag help run
expect 2 "no command 'x'" 'help of a command that is none' kmag help x
expect 0 '^  or:  kmag help \[COMMAND\]$' 'the usage' kmag --usage
[ "$(wc -l <out)" = 2 ]
result $? 'alone'
for command in --help --version help 'stat --help' 'help run' 'report full one.json'; do
	expect 1 'cannot write the result: No space' "$command to a full disk" \
		sh -c "kmag $command >/dev/full"
	[ "$(wc -l <err)" = 1 ] || result 1 'in more than one sentence'
done

abi=$(sed -n 's/^#define KMAG_ABI\t\t*//p' "$here/../../../include/uapi/kmag.h")
expect 0 "^kmag, ABI ${abi:-none}$" 'the version' kmag --version
expect 0 "^kmag, ABI ${abi:-none}$" 'the version, of a command' kmag stat --version

expect 2 'duration takes a time from 1ms to 1193h, not' 'a duration' kmag run -d 0
expect 2 'period takes a time from 10us to 1s, not' 'a period' kmag run --period 0
for command in run stress; do
	kmag $command --help >out
	! tr '\n' '|' <out | grep -q '|||'
	result $? "help of $command has no empty line too many"
done

# What is asked for is looked at before it is begun.
expect 2 'count takes' 'an interval as any other time' kmag watch -d 500ms -n 0
expect 2 'interval takes a time from 100ms to 1h, not' 'an interval that is none' kmag watch -d 5x
for command in run 'diff one.json two.json'; do
	# shellcheck disable=SC2086 # its words
	expect 1 'cannot write nosuch/r: No such' "${command%% *} with a report in no folder" \
		kmag $command --report nosuch/r
done
[ ! -s out ]
result $? 'that is found before it is told'

# rows: the caches in a table of kmag diff, in order
rows()
{
	awk 'NR > 3 && $1 ~ /-[0-9]+$/ { print $1 }' out | xargs >order
}

# Each of these is first by another key, and the order by bytes is no other's.
snapshot 1000000000 "$(cache bytey 1)" "$(cache lively 2)" "$(cache slabby 3)" >swap1.json
snapshot 3500000000 "$(cache bytey 1 slabs=1 slab_bytes=40960 live=20 alloc_mag=200)" \
	"$(cache lively 2 slabs=2 slab_bytes=8192 live=30 alloc_mag=100)" \
	"$(cache slabby 3 slabs=3 slab_bytes=12288 live=10 alloc_mag=300)" >swap2.json

# diff
expect 0 'two.json is 2.500 s later than one.json' 'diff' kmag diff one.json two.json
rows
[ "$(cat order)" = 'beta-2 alpha-1 odd|na*me-4' ]
result $? 'what changed most comes first'
grep -q '^alpha-1 *+2 *+1 *+8.0 KiB *+4.0 KiB *+100 *+110 *+94 *+8 *+5 *+3$' out
result $? 'slabs, bytes, live objects, operations and tiers'
grep -q '^beta-2 *-7 *0 *-28.0 KiB *0 B *0 *+1 ' out
result $? 'less is less'
grep -q '3 caches in both, of which 1 did not change; 1 new, 0 gone' out
result $? 'the sum of it'
expect 0 '2.500 s later' 'by operations' kmag diff -s operations one.json two.json
rows
[ "$(cat order)" = 'alpha-1 beta-2 odd|na*me-4' ]
result $? 'sorted by operations'
expect 0 '2.500 s later' 'sorted by slabs' kmag diff -s slabs swap1.json swap2.json
rows
[ "$(cat order)" = 'slabby-3 lively-2 bytey-1' ]
result $? 'most slabs come first'
expect 0 '2.500 s later' 'sorted by live objects' kmag diff --sort live swap1.json swap2.json
rows
[ "$(cat order)" = 'lively-2 bytey-1 slabby-3' ]
result $? 'most live objects come first'
expect 0 '^still-3' 'diff --all' kmag diff --all one.json two.json
expect 0 '2.500 s older.*than two' 'the other way round' kmag diff two.json one.json
grep -q '2 caches count fewer operations' out && grep -q 'na\*me-4 *gone ' out
result $? 'it is told that counts went back'
kmag diff --json one.json two.json >diff.json
[ "$(field diff.json new)" = 1 ] && [ "$(field diff.json unchanged)" = 1 ] &&
	[ "$(field diff.json ns)" = 2500000000 ] && grep -q '"state": "new"' diff.json
result $? 'diff as JSON'
expect 0 'slabs alone, so operations' 'slabs with all' kmag diff slabs.json two.json
grep -q '^alpha-1 *-2 *0 *-8.0 KiB *0 B$' out
result $? 'they compare by slabs'
expect 0 'later than one.json' 'with a snapshot that tells of something new' \
	kmag diff one.json <(sed 's/"stats": {/"unheard_of": [1], &"park_full": 7, /' two.json)
expect 0 '^1 cache in both, of which 1' 'slabs with slabs' kmag diff slabs.json slabs.json
expect 2 'two snapshots are needed' 'diff of one' kmag diff one.json
expect 2 'two snapshots at a time' 'diff of three' kmag diff one.json two.json one.json
expect 2 'sort takes bytes, slabs, live or operations' 'diff by nothing known' \
	kmag diff -s size one.json two.json
expect 1 'cannot open' 'diff of what is not there' kmag diff one.json none.json
expect 1 'cannot read\|is no JSON' 'diff of a folder' kmag diff . one.json
head -c 300 one.json >cut.json
expect 1 'cut.json is no JSON: line 1' 'diff of a snapshot that was cut' kmag diff one.json cut.json
expect 1 'is no snapshot' 'diff of another result' kmag diff one.json diff.json
expect 1 'time and an array' 'diff of a snapshot without caches' \
	kmag diff one.json <(echo '{"schema": "kmag.stat/1", "time_ns": 1}')
expect 1 "cache 1 has no 'live'" 'diff of a damaged number' \
	kmag diff one.json <(sed 's/"live": 10/"live": -10/' one.json)
expect 1 "cache 2 has no 'free_page'" 'diff of a missing number' \
	kmag diff one.json <(snapshot 1 "$a1" "${b1/free_page/free_cage}")
expect 1 "has no 'name'" 'diff of a nameless cache' kmag diff one.json <(snapshot 1 "${a1/alpha/}")
expect 1 'two caches have the id 1' 'diff of a cache told twice' \
	kmag diff one.json <(snapshot 1 "$a1" "$a2")
expect 1 'cannot write the result' 'diff to a full disk' \
	sh -c 'kmag diff one.json two.json >/dev/full'

# import, of a file and of standard input
expect 0 '^t: [1-9].* operations' 'import' kmag import -o t "$here/import/perf-6.12.txt"
mv out of-file
expect 0 '^t: [1-9].* operations' 'import of standard input' \
	kmag import -o t - <"$here/import/perf-6.12.txt"
cmp -s out of-file && [ "$(head -c 7 t)" = kmagtrc ]
result $? 'the same comes of both'
expect 1 'has no allocation or free' 'import of standard input without lines' \
	kmag import -o u - </dev/null
grep -v '^#' "$here/import/tracefs-6.12.txt" | sed '3s/\[[0-9]*\]//; 5s/ptr=/xptr=/' >marred
expect 1 'has no CPU' 'import of damaged lines' kmag import -o u marred
grep -q '^ *the first is line 3: no CPU$' out && grep -q ': the first, line 3, has no CPU$' err
result $? 'the first is told, and what it lacks'
expect 1 'lines, 1 of them damaged: the first, line 2, has no time in seconds$' \
	'import of damaged lines alone' kmag import -o v <(printf '\nx [001] 12: kfree: ptr=0x10\n')

# Names that are no UTF-8, which JSON is
latin=$(printf 'a\377')
cp "$here/import/perf-6.12.txt" "$latin.txt"
expect 0 '"text": "a..txt"' 'a file with an odd name' kmag import --json -o t -r odd "$latin.txt"
grep -q '"text": "a..txt"' odd
result $? 'its report, too'
cp one.json "$latin.json"
expect 0 '"from": "a..json"' 'two of them' kmag diff --json "$latin.json" "$latin.json"

# What is read is not written
cp "$here/import/perf-6.12.txt" same
ln same hard && ln -s same soft
same()
{
	expect 2 'is what is read, and would be overwritten' "$1" "${@:2}"
}
same 'import over its text' kmag import -o same same
same 'under another name' kmag import -o hard soft
same 'or of standard input' sh -c 'kmag import -o same - <same'
same 'a report of it, too' kmag import -o u -r soft same
same 'diff over the first' kmag diff -r one.json one.json two.json
same 'diff over the second' kmag diff -r two.json one.json two.json
same 'a report of a replay over the recording' kmag replay -r t t
cmp -s same "$here/import/perf-6.12.txt" && grep -q stat/1 one.json && [ "$(head -c 7 t)" = kmagtrc ]
result $? 'all of them are as they were'
for report in y ./y "$PWD/y"; do
	expect 2 'both the recording and the report' "a recording and a report in $report" \
		kmag import -o y -r "$report" same
done
[ ! -e y ]
result $? 'neither was made'
expect 0 'later than' 'what is no file may be both' kmag diff -r /dev/null one.json two.json
for command in 'replay X' 'import X' 'diff X one.json' 'import -o X same' 'diff -r X one.json two.json' \
	'report X one.json' 'frag --heatmap --map X'; do
	set --
	for word in $command; do
		set -- "$@" "${word/X/}"
	done
	expect 1 "cannot .* '': No such file" "$command, without a name" kmag "$@"
done

# report
cat >replay.json <<'J'
{"schema": "kmag.replay/1", "file": "t", "wrong": null,
"replayed": {"operations": 3000, "caches": 2, "batches": 3},
"batches": [{"time_ns": 1000000, "operations": 1000}, {"time_ns": 2000000, "operations": 2000},
{"time_ns": 3000000, "operations": 3000}],
"backends": {"kmag": {"allocations": 1500, "shrunk": {"bytes": 4096, "slabs": 1}, "samples": [
{"bytes": 4096, "bytes_needed": 4096}, {"bytes": 40960, "bytes_needed": 8192},
{"bytes": 20480, "bytes_needed": 4096}]}, "slub": {"allocations": 1501,
"shrunk": {"bytes": 8192, "slabs": 2}, "samples": [{"bytes": 8192, "bytes_needed": 4096},
{"bytes": 32768, "bytes_needed": 8192}, {"bytes": 24576, "bytes_needed": 4096}]}},
"caches": [{"name": "alpha", "size": 64, "kmag": {"end": {"live": 1}}}]}
J
cat >run.json <<'J'
{"schema": "kmag.run/1", "workload": {"pattern": "pair"}, "backends": {
"kmag": {"allocations": 100, "threads": [{"cpu": 0, "ns_per_operation": 10.5},
{"cpu": 1, "ns_per_operation": 11.5}]}, "slub": {"allocations": 100, "threads": [
{"cpu": 0, "ns_per_operation": 20.5}, {"cpu": 1, "ns_per_operation": 21.5}]}}}
J
cat >bench.json <<'J'
{"schema": "kmag.bench/1", "kernels": [{"release": "6.12", "unit": "ns", "boots": [
{"append": "", "patterns": {"pair": {"slub": {"per_op": 186.0}, "called": {"per_op": 47.0},
"inline": {"per_op": 34.0}, "limit": {"per_op": 16.0}}, "batch-8": {"slub": {"per_op": 191.5},
"called": {"per_op": 52.5}, "inline": {"per_op": 40.6}, "limit": {"per_op": 22.5}}}}]}]}
J
# is_png FILE...: all of them
is_png()
{
	local file
	for file; do
		[ "$(head -c 4 "$file" | tail -c 3)" = PNG ] || return
	done
}

expect 0 'report.md: 4 results, 5 pictures' 'report' \
	kmag report r one.json two.json slabs.json replay.json
is_png r/one-bytes.png r/two-served.png r/slabs-slabs.png r/replay-held.png
result $? 'pictures are pictures'
grep -qF '| odd\|na\*me-4 ' r/report.md && grep -q '^## slabs (kmag.frag/1)' r/report.md
result $? 'names are no markup'
grep -q '^| allocations *| *1,500 | *1,501 |$' r/report.md &&
	grep -q '^| shrunk.slabs *| *1 | *2 |$' r/report.md
result $? 'allocators side by side'
expect 0 '2 results, 2 pictures' 'report of speed' kmag report r run.json bench.json
is_png r/run-threads.png r/bench-patterns-1.png && grep -q '^#### threads of slub' r/report.md &&
	grep -q '^| *1 | *21.5 |$' r/report.md && grep -q '^| called.per_op | *47 | *52.5 |$' r/report.md
result $? 'threads and patterns'
expect 0 '1 result, 0 pictures' 'report of a result without pictures' kmag report r diff.json

# What the tools told in truth: three in a guest (workloads.sh), one of
# tools/bench/run --lane count --kernel stock --pattern pair --pattern batch-8 --loops 1
# and some of what make bench-memory had
results=$here/results
expect 0 '5 results, 6 pictures' 'report of real results' kmag report real "$results/run.json" \
	"$results/replay.json" "$results/stress.json" "$results/bench.json" "$results/memory.json"
is_png real/run-threads.png real/replay-held.png real/bench-patterns-[12].png \
	real/memory-spikes-1.png real/memory-bursts-1.png
result $? 'with a picture of each boot'
# row SECTION CELL...: has the report such a row in it?
row()
{
	local section=$1 cells
	shift
	cells=$(printf ' *%s *|' "$@")
	sed -n "/^## $section /,/^## /p" real/report.md | grep -q "^|$cells$"
}
row run allocations '6,000' '6,000' && row run served_allocations.magazine '5,906' - &&
	row run time_ratio 0.2755 && row run 0 '3,000' '2,000' 0 0 '1,000' '14,885,009' \
	'7,083,590' '1,417' 781.2 && grep -qx 256 real/report.md
result $? 'a run: its allocators, its threads, its size'
row replay operations 41 && row replay shrunk.bytes '16,384' '32,768' &&
	row replay older_frees 5 && row replay names_cache '4,096' 39 1 4 1 1 1 1 1 &&
	row replay filp 0 1 - - - - - - -
result $? 'a replay: its allocators, and a row a cache'
row stress workloads 20 && row stress allocations '173,306' && row bench slub.per_op 186 191.5 &&
	row bench called.min '121,859' '127,492'
result $? 'stress, and both boots of a bench'
row memory 64 no '200,000' '20,000' && row memory free_home 184 && row memory cpus 2
result $? 'a bench of memory: what its pictures are of, and its costs'

# One that holds others, as that of make run does
{
	printf '{"schema": "kmag.make-run/1", "wrong": ["too few"], "replay": '
	cat "$results/replay.json"
	printf ', "speed": '
	cat "$results/run.json"
	echo '}'
} >made.json
expect 0 '3 results, 2 pictures' 'report of results in a result' kmag report real made.json
is_png real/made-replay-held.png real/made-speed-threads.png
result $? 'a picture of each'
[ "$(sed -n 's/^## //p' real/report.md | xargs)" = \
	'made (kmag.make-run/1) made-replay (kmag.replay/1) made-speed (kmag.run/1)' ] &&
	row made-replay operations 41 && row made-speed time_ratio 0.2755 &&
	grep -qx 'too few' real/report.md && ! row made operations 41
result $? 'a section of each'
echo '{"schema": "kmag.x/1", "a": 430312.7, "b": 0.00001234, "c": -1234567.5, "d": 2.50,
"e": 999.96, "f": [430312.7, 0.5, 7], "g": 1e300, "h": 0.0}' >reals.json
expect 0 '1 result' 'report of reals' kmag report real reals.json
row reals a '430,313' && row reals b 1.2e-05 && row reals c '-1,234,568' && row reals d 2.5 &&
	row reals e '1,000' && grep -qx '430,313, 0.5, 7' real/report.md && row reals g 1e+300 &&
	row reals h 0
result $? 'they are numbers as others are'
mkdir other && cp one.json other/
expect 0 '2 results, 2 pictures' 'report of two files of one name' \
	kmag report r one.json other/one.json
is_png r/one-bytes.png r/one-2-bytes.png
result $? 'their pictures are apart'
cp one.json one-3.json
expect 0 '3 results, 3 pictures' 'report of names that become one another' \
	kmag report three one-3.json other/one.json other/one.json
[ "$(echo three/*-bytes.png)" = 'three/one-2-bytes.png three/one-3-bytes.png three/one-bytes.png' ] &&
	[ "$(grep -o '(.*-bytes.png)' three/report.md | sort -u | wc -l)" = 3 ]
result $? 'a picture of each is theirs alone'
mkdir empty && ln -s "$(command -v kmag)" empty/
expect 3 'gnuplot is not installed' 'report without gnuplot' \
	env PATH="$work/empty" kmag report s two.json
grep -q '^| alpha-1 ' s/report.md && [ "$(echo s/*.png)" = 's/*.png' ]
result $? 'tables alone'
printf '#!/bin/sh\nexit 1\n' >empty/gnuplot && chmod +x empty/gnuplot
expect 1 'gnuplot could not draw' 'report with a gnuplot that fails' \
	env PATH="$work/empty:/bin" kmag report s two.json
grep -q '^| alpha-1 ' s/report.md && [ "$(ls -A s)" = report.md ]
result $? 'the report that was there is, and nothing else'
expect 1 'cut.json is no JSON' 'report of a good file and a bad one' \
	kmag report whole two.json cut.json
[ -z "$(ls -A whole)" ]
result $? 'nothing is left of half a report'
expect 1 '^kmag report: gnuplot could not draw /dev/fd/[0-9]*: .*No valid points' \
	'report of a number that gnuplot cannot draw' \
	kmag report s <(sed 's/: [12][01].5/: 1e308/' run.json)
[ "$(wc -l <err)" = 1 ]
result $? 'in one sentence'
printf '#!/bin/sh\ncat >>%s/script\n' "$work" >empty/gnuplot
expect 1 'cannot write s/[0-9]*-bytes.png' 'report with a gnuplot that draws nothing' \
	env PATH="$work/empty:/bin" kmag report s <(snapshot 1 "$a1" "${a2/\"id\": 1/\"id\": 9}" "$b1")
grep -q '^"alpha-1" ' script && grep -q '^"alpha-9" ' script && grep -q '^"beta" ' script
result $? 'bars of two caches of one name have names of their own'
# shellcheck disable=SC2016 # of that shell
printf '#!/bin/sh\nkill -INT $PPID\nexec cat >/dev/null\n' >empty/gnuplot
expect 1 'a signal ended it' 'report that a signal ends' \
	env PATH="$work/empty:/bin" kmag report s one.json two.json
grep -q '^| alpha-1 ' s/report.md && [ "$(ls -A s)" = report.md ]
result $? 'it leaves what was there, too'
expect 2 'a folder and at least one result' 'report of nothing' kmag report r
expect 1 'cannot make the folder' 'report to nowhere' kmag report /nonexistent/r one.json
expect 1 'cannot write' 'report to a file' kmag report one.json two.json
expect 1 'it has no schema' 'report of other JSON' kmag report r <(echo '[1]')
expect 1 'a replay has batches' 'report of a damaged replay' \
	kmag report r <(sed 's/{"bytes": 4096, "bytes_needed": 4096}, //' replay.json)

# refused NAME PATTERN JSON: a damaged result
refused()
{
	expect 1 "is damaged: $2" "report of $1" kmag report r <(echo "$3")
}
refused 'a schema alone' 'it has a schema and nothing else' '{"schema": "kmag.stress/1"}'
refused 'a run without allocators' 'a run has' '{"schema": "kmag.run/1", "workload": {}}'
refused 'a run without threads' 'each allocator of a run' \
	'{"schema": "kmag.run/1", "backends": {"kmag": {"frees": 1}}}'
refused 'a bench without kernels' 'a bench has' '{"schema": "kmag.bench/1", "kmag": "x"}'
refused 'a bench without boots' 'each kernel' '{"schema": "kmag.bench/1", "kernels": [{}]}'
refused 'a bench without patterns' 'each boot' \
	'{"schema": "kmag.bench/1", "kernels": [{"boots": [{}]}]}'
refused 'a bench of memory without kernels' 'a bench of memory' '{"schema": "kmag.bench-memory/1", "a": 1}'
refused 'one without samples' 'each size of a spike' \
	"$(sed 's/"needed": 313, "slabs": 322/"slabs": 322/' "$results/memory.json")"

# Heat maps of copies of slab_map: what is held by whom, and what is no map
cat >map <<'M'
kmag slab_map - version: 1
# pfn node pages slots inuse away draining cached
100 0 1 16 0 0 0 0
101 0 1 16 1 1 0 0
102 0 1 16 15 7fff 0 0
103 0 1 16 16 ffff 0 0
104 0 1 16 16 ffff 0 2
105 0 1 16 9 1ff 0 9
106 0 1 16 9 1ff 1 0
M
sed '2!s/ [01] [0-9]*$//' map >old-map
{ head -n 2 map; yes '1 0 1 8 8 ff 0 0' | head -n 130; } >long-map
{ cat map; echo 107 0 1 16 17 1ffff 0 0; } >bad-map
expect 0 '^map: 7 slabs$' 'a heat map' kmag frag --heatmap --map map
grep -qx '\.18#8cd' out
result $? 'a letter a slab'
expect 0 '^\.18##55$' 'one of an older kmag' kmag frag -H --map old-map
expect 0 '^##$' 'a long one' kmag frag -H --map map --map long-map
[ "$(grep -cx '#\{64\}' out)" = 2 ]
result $? '64 slabs a line'
expect 0 '^map.png: 2 maps$' 'a heat map as a picture' kmag frag --heatmap=map.png --map map --map long-map
expect 0 '^map.png: 1 map$' 'of one' kmag frag --heatmap=map.png --map map
is_png map.png
result $? 'which is one'
expect 1 'bad-map is no slab_map' 'a heat map of too many objects' \
	kmag frag --heatmap --map bad-map
expect 1 'cannot read nosuch' 'a heat map of nothing' kmag frag --heatmap --map nosuch
expect 1 'cannot write nosuch/m.png' 'a picture in no folder' \
	kmag frag --heatmap=nosuch/m.png --map map
expect 2 'takes the name of a .png' 'a picture of another kind' kmag frag --heatmap=m.jpg --map map
cp map map.png
expect 2 'would be overwritten' 'a picture over its map' kmag frag --heatmap=map.png --map map.png
expect 2 'map is for --heatmap' 'a map for no heat map' kmag frag --map map
expect 2 'no JSON' 'a heat map as JSON' kmag frag --heatmap --json --map map
rm empty/gnuplot
expect 3 'gnuplot is not installed' 'a picture without gnuplot' \
	env PATH="$work/empty" kmag frag --heatmap=no.png --map map
printf '#!/bin/sh\nexit 1\n' >empty/gnuplot && chmod +x empty/gnuplot
cp two.json map.png
expect 1 'gnuplot could not draw map.png' 'a picture that gnuplot does not draw' \
	env PATH="$work/empty:/bin" kmag frag --heatmap=map.png --map map
cmp -s two.json map.png && [ "$(echo -- *.png*)" = '-- map.png' ]
result $? 'neither leaves anything'

# kib N COMMAND...: with files that can grow to so many KiB; a full disk, nearly
kib()
{
	(trap '' XFSZ; ulimit -f "$1"; shift; exec "$@" >/dev/null)
}
for _ in {1..50}; do cat same; done >long
kmag import -o long.trace long >/dev/null && cp long.trace before.trace
expect 1 'cannot write long.trace: File too large' 'a recording for which there is no room' \
	kib 1 kmag import -o long.trace long
cp two.json full.json
expect 1 'cannot write full.json: File too large' 'a report for which there is no room' \
	kib 1 kmag diff -r full.json one.json two.json
cmp -s long.trace before.trace && cmp -s full.json two.json && [ "$(echo -- *.trace* full.json*)" = '-- before.trace long.trace full.json' ]
result $? 'what was there is, and nothing else'
(umask 027; kmag diff -r new.json one.json two.json >/dev/null)
chmod 604 full.json && kmag diff -r full.json one.json two.json >/dev/null
[ "$(stat -c %a new.json full.json long.trace | xargs)" = '640 604 600' ]
result $? 'who may read what is written'
finished
