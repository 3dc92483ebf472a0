# SPDX-License-Identifier: MIT OR Apache-2.0
"""One run of QEMU with its TPM: starts the processes, reads them, ends them."""
import os
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from vm import console, export, ustar

GRACE_S = 5.0  # after an outcome, at most: for the guest to say the rest and to power off by itself
STOP_S = 5.0
START_S = 20.0
EVENT_LOG = "eventlog.bin"


class Missing(Exception):
    """A program or file that this machine lacks."""


class Fault(Exception):
    """QEMU or swtpm did not do what it should."""


def need_program(name, package):
    if shutil.which(name) is None:
        raise Missing(f"{name} is missing; install the package {package} (scripts/setup does)")
    return name


class Processes:
    """Child processes that are ended on every way out."""

    def __init__(self):
        self.children = []

    def __enter__(self):
        return self

    def start(self, name, command, log, **options):
        """Starts a child; what it says on standard error goes to the file `log`."""
        # The kernel ends the child even if we are killed.
        command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        with open(log, "wb") as stderr:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, **options)
        child.name, child.log = name, log
        self.children.append(child)
        return child

    def check(self):
        """Raises Fault if a child has ended."""
        for child in self.children:
            if child.poll() is not None:
                raise Fault(f"{child.name} did not start: {last_words(child.log)}")

    def __exit__(self, *_):
        # From here to the end of the program nothing may interrupt the cleaning up.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def start_tpm(processes, args, work):
    """Starts swtpm; returns QEMU's arguments for it."""
    if args.tpm_interface == "none":
        return []
    need_program("swtpm", "swtpm")
    state = os.path.abspath(args.tpm) if args.tpm else os.path.join(work, "tpm")
    os.makedirs(state, exist_ok=True)
    control = os.path.join(work, "tpm.sock")
    with listen(control) as listener:
        processes.start(
            "swtpm",
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
             "--ctrl", f"type=unixio,fd={listener.fileno()}"],
            os.path.join(work, "swtpm.log"), stdout=subprocess.DEVNULL, pass_fds=[listener.fileno()],
        )
    return ["-chardev", f"socket,id=tpm,path={control}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
            "-device", f"tpm-{args.tpm_interface},tpmdev=tpm0"]


def listen(path):
    """A socket that listens before its other side starts: nobody has to wait for it to appear."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    return listener


def accept(listener, processes):
    """QEMU's connection."""
    listener.settimeout(0.1)
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            return listener.accept()[0]
        except TimeoutError:
            processes.check()
    raise Fault(f"QEMU did not start within {START_S:g} s")


def last_words(log):
    with open(log, encoding="utf-8", errors="replace") as f:
        return f.read()[-2000:].strip() or "it said nothing"


def firmware_args(args, work):
    code = os.path.join(args.ovmf, "OVMF_CODE_4M.secboot.fd")
    if not os.path.isfile(code):
        raise Missing(f"{code} is missing; install the package ovmf (scripts/setup does)")
    variables = os.path.join(work, "vars.fd")
    shutil.copyfile(args.vars, variables)
    return [
        "-machine", "q35,smm=on",
        "-global", "driver=cfi.pflash01,property=secure,value=on",
        "-global", "ICH9-LPC.disable_s3=1",
        "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
        "-drive", f"if=pflash,format=raw,unit=1,file={variables}",
        "-drive", f"if=none,id=esp,format=raw,readonly=on,file={args.esp}",
        "-device", "virtio-blk-pci,drive=esp,bootindex=0",
    ]


def kernel_args(args):
    command = ["-machine", "q35", "-kernel", args.kernel, "-append", args.append]
    return command + (["-initrd", args.initrd] if args.initrd else [])


def qemu_command(args, work, tpm):
    command = [need_program("qemu-system-x86_64", "qemu-system-x86")]
    command += kernel_args(args) if args.kernel else firmware_args(args, work)
    command += ["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(args.memory), "-nodefaults",
                "-display", "none", "-no-reboot", "-net", "none", "-serial", "stdio",
                "-chardev", f"socket,id=export,path={work}/export.sock",
                "-serial", "chardev:export"]
    if args.root:
        command += ["-drive", f"if=none,id=root,format=raw,snapshot=on,file={args.root}",
                    "-device", "virtio-blk-pci,drive=root"]
    return command + tpm


def receive(source):
    try:
        return os.read(source.fileno(), 65536)
    except ConnectionResetError:
        return b""


def grace(result):
    """How long the guest may go on after its outcome line. The firmware would wait for a key."""
    return 0 if result.outcome == "until" or result.reason == "firmware" else GRACE_S


def watch(qemu, watcher, channel, timeout):
    """Feeds console and export channel until the machine's end, the outcome, or the time limit."""
    selector = selectors.DefaultSelector()
    selector.register(qemu.stdout, selectors.EVENT_READ, watcher)
    selector.register(channel.connection, selectors.EVENT_READ, channel)
    end = watcher.started + timeout
    waits = True
    while (left := end - time.monotonic()) > 0 and qemu.stdout in selector.get_map():
        for key, _ in selector.select(left):
            data = receive(key.fileobj)
            if data:
                key.data.feed(data)
            else:
                selector.unregister(key.fileobj)
        if watcher.result and waits:
            waits = False
            end = min(end, time.monotonic() + grace(watcher.result))
    if qemu.stdout not in selector.get_map():
        drain(channel)
    watcher.finish()


def drain(channel):
    """What QEMU had sent before it ended, and we had not read yet."""
    channel.connection.setblocking(False)
    try:
        while data := receive(channel.connection):
            channel.feed(data)
    except BlockingIOError:
        pass


def outcome(watcher, timeout):
    if watcher.result:
        return watcher.result
    if time.monotonic() - watcher.started >= timeout:
        return console.Result("timeout", 4, f"VERIDIAN: no outcome within {timeout:g} s")
    return console.Result("ended", 4, "VERIDIAN: the machine stopped without an outcome")


def store_exports(args, channel, result):
    """What was asked for and did not come is a fault of the boot, whatever its outcome line said."""
    try:
        files = channel.files()
        result.exports = sorted(files)
        if args.export:
            export.store(files, args.export)
        if args.event_log and result.exit_code == 0:
            if EVENT_LOG not in files:
                raise ustar.Damaged("it has no event log")
            export.store_file(args.event_log, files[EVENT_LOG])
    except ustar.Damaged as e:
        print(f"boot-vm: what the guest exports is not usable: {e}", file=sys.stderr)
        if result.exit_code == 0 and (args.export or args.event_log):
            result.exit_code = 4


def run(args, work, log):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watcher = console.Watcher(log, args.until, sys.stderr if args.verbose else None)
    with Processes() as processes, listen(f"{work}/export.sock") as listener:
        tpm = start_tpm(processes, args, work)
        qemu = processes.start("QEMU", qemu_command(args, work, tpm), os.path.join(work, "qemu.log"),
                               stdout=subprocess.PIPE)
        with accept(listener, processes) as connection:
            channel = export.Channel(connection, args.nonce)
            watch(qemu, watcher, channel, args.timeout)
    result = outcome(watcher, args.timeout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.cpu_seconds = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    result.stages = watcher.stages
    if result.outcome == "ended":
        print(f"boot-vm: QEMU: {last_words(qemu.log)}", file=sys.stderr)
    store_exports(args, channel, result)
    if args.keep_vars:
        shutil.copyfile(os.path.join(work, "vars.fd"), args.keep_vars)
    return result


def remove_older(path):
    """So that a boot that stores nothing cannot be taken for the one before."""
    if path and os.path.exists(path):
        os.unlink(path)


def boot(args):
    """Boots once as `args` (boot-vm's options) say; returns a console.Result."""
    remove_older(args.event_log)
    with tempfile.TemporaryDirectory(prefix="veridian-vm-") as work:
        if args.log is None:
            return run(args, work, None)
        with open(args.log, "w", encoding="utf-8") as log:
            return run(args, work, log)
