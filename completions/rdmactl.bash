# Completion of rdmactl for bash. The program itself says what can come next, names of devices included.
_rdmactl() {
    local line=${COMP_LINE:0:COMP_POINT} words word what cur cut
    COMPREPLY=()
    # Not COMP_WORDS: bash cuts those at : and =, which addresses and options have in them.
    read -ra words <<<"$line"
    if [[ $line == *[[:blank:]] ]]; then words+=(''); fi
    # Before the program may stand sudo and the like; COMP_WORDS[0] is the program all the same.
    while ((${#words[@]} > 1)) && [[ ${words[0]} != "${COMP_WORDS[0]}" ]]; do words=("${words[@]:1}"); done
    cur=${words[${#words[@]} - 1]}
    # bash replaces only what stands behind the last of them.
    cut=${cur%"${cur##*[:=]}"}
    # Not by <(...), which takes /dev/fd; nothing at all is an empty line here.
    while IFS=$'\t' read -r word what; do
        if [[ -z $word ]]; then continue; fi
        if [[ $word == :files ]]; then
            compopt -o default 2>/dev/null
            COMPREPLY=()
            return
        fi
        COMPREPLY+=("${word#"$cut"}")
    done <<<"$(command "${COMP_WORDS[0]}" complete "${words[@]:1}" 2>/dev/null)"
}
# rdma: where it is a link to rdmactl. iproute2's own answers nothing here.
complete -F _rdmactl rdmactl rdma
