# Completion of rdmactl for fish. The program itself says what can come next, names of devices included.
function __rdmactl_complete
    set -l typed (commandline -opc) (commandline -ct)
    for line in (command $typed[1] complete $typed[2..] 2>/dev/null)
        if string match -q ':files*' -- $line
            __fish_complete_path (commandline -ct)
            return
        end
        echo $line
    end
end
# rdma: where it is a link to rdmactl. iproute2's own answers nothing here.
for name in rdmactl rdma
    complete -c $name -f -a '(__rdmactl_complete)'
end
