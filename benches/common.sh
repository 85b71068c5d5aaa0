# Shared by run, load and build-cost.

export CARGO_TERM_COLOR=never

# install_package <command> <package>
install_package() {
    command -v "$1" >/dev/null && return
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"
}

# Writes a file into a page, docs/benchmarks.md unless another is named, between the markers of that name, if UPDATE_DOCS is set:
# update_docs <name> <file> [page]
update_docs() {
    [ -n "${UPDATE_DOCS:-}" ] || return 0
    local page="${3:-docs/benchmarks.md}"
    grep -q "^<!-- $1 begin -->" $page && grep -q "^<!-- $1 end -->" $page
    awk -v begin="<!-- $1 begin -->" -v end="<!-- $1 end -->" -v file="$2" '
        $0 == begin { print; print ""; while ((getline line < file) > 0) print line; print ""; skip = 1 }
        $0 == end { skip = 0 }
        !skip { print }
    ' $page >"$2.page"
    mv "$2.page" $page
}
