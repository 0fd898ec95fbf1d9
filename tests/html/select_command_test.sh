#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: select_command_test.sh EDDY: runs `eddy select` and compares what it prints and returns.
eddy=$1
failed=0
nbsp=$(printf '\302\240')
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# check NAME EXPECTED-STATUS EXPECTED-OUTPUT ACTUAL-STATUS ACTUAL-OUTPUT
check() {
  if [ "$2" != "$4" ] || [ "$3" != "$5" ]; then
    printf 'FAILED: %s\nexpected %s: %s\ngot      %s: %s\n' "$1" "$2" "$3" "$4" "$5"
    failed=1
  fi
}

printf '<p class="a b" x>q<br>"z"&amp;&nbsp;</p>\n<p>1<script>2</script>\n</p>' > "$dir/page.html"

out=$("$eddy" select p "$dir/page.html")
check 'a line of JSON a match' 0 '{"tag":"p","attrs":{"class":"a b","x":""},"text":"q\"z\"&'"$nbsp"'","html":"<p class=\"a b\" x=\"\">q<br>\"z\"&amp;&nbsp;</p>"}
{"tag":"p","attrs":{},"text":"12\n","html":"<p>1<script>2</script>\n</p>"}' $? "$out"

out=$("$eddy" select --text p < "$dir/page.html")
check 'text from standard input' 0 'q "z"&
1' $? "$out"

out=$("$eddy" select --attr class p - < "$dir/page.html")
check 'an attribute' 0 'a b' $? "$out"

out=$("$eddy" select nosuch "$dir/page.html")
check 'no match is no error' 0 '' $? "$out"

out=$("$eddy" select 'p >' "$dir/page.html" 2>&1)
check 'a malformed selector' 2 "eddy select: selector 'p >' at 3: expected a selector after '>', got the end
  p >
     ^" $? "$out"

out=$(printf '<p>\326\320' | "$eddy" select --encoding gbk --text p)
check 'an encoding' 0 '中' $? "$out"

out=$("$eddy" select --encoding klingon p "$dir/page.html" 2>&1)
check 'an unknown encoding' 2 "eddy select: unknown charset 'klingon'" $? "$out"

out=$("$eddy" select p "$dir/nosuch" 2>&1)
check 'a file that is not there' 1 "eddy select: open '$dir/nosuch': No such file or directory" $? "$out"

out=$("$eddy" select 2>&1)
check 'no selector' 2 'selector is required
Run with --help for more information.' $? "$out"

out=$("$eddy" nosuch 2>&1 | head -n 1)
check 'an unknown command' 0 "eddy: no command is called 'nosuch'" $? "$out"

"$eddy" --help > /dev/null
check 'help' 0 '' $? ''
out=$("$eddy" --version | cut -d' ' -f1)
check 'version' 0 eddy $? "$out"

exit $failed
