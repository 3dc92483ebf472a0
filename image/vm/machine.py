# SPDX-License-Identifier: MIT OR Apache-2.0
"""One run of QEMU with its TPM: starts the processes, reads them, ends them."""
import os
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

from vm import console, export

GRACE_S = 1.5  # after an outcome: what the guest still says, and its own power-off
STOP_S = 5.0


class Missing(Exception):
    """A program or file that this machine lacks."""


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

    def start(self, command, **options):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def __exit__(self, *_):
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
    processes.start(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={control}",
         "--log", f"file={work}/swtpm.log,level=1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    wait_for(control, processes.children[-1])
    return ["-chardev", f"socket,id=tpm,path={control}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
            "-device", f"tpm-{args.tpm_interface},tpmdev=tpm0"]


def wait_for(path, child):
    """Until `path` exists; the child that makes it must stay alive."""
    end = time.monotonic() + 10
    while not os.path.exists(path):
        if child.poll() is not None or time.monotonic() > end:
            raise Missing(f"{child.args[0]} did not start")
        time.sleep(0.01)


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
                "-chardev", f"socket,id=export,path={work}/export.sock,server=on,wait=off",
                "-serial", "chardev:export"]
    if args.root:
        command += ["-drive", f"if=none,id=root,format=raw,snapshot=on,file={args.root}",
                    "-device", "virtio-blk-pci,drive=root"]
    return command + tpm


def watch(qemu, watcher, channel, timeout):
    """Feeds console and export channel until the outcome, the end or the time limit."""
    selector = selectors.DefaultSelector()
    selector.register(qemu.stdout, selectors.EVENT_READ, watcher)
    selector.register(channel.connection, selectors.EVENT_READ, channel)
    end = time.monotonic() + timeout
    graced = False
    while (left := end - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            data = os.read(key.fd, 65536)
            if data:
                key.data.feed(data)
            else:
                selector.unregister(key.fileobj)
                if key.fileobj is qemu.stdout:
                    watcher.finish()
                    return
        if watcher.result and not graced:
            graced = True
            end = min(end, time.monotonic() + GRACE_S)
    watcher.finish()


def outcome(watcher, timeout):
    if watcher.result:
        return watcher.result
    if time.monotonic() - watcher.started >= timeout:
        return console.Result("timeout", 4, f"VERIDIAN: no outcome within {timeout:g} s")
    return console.Result("ended", 4, "VERIDIAN: the machine stopped without an outcome")


def connect(path, child):
    """Connects to the socket that `child` makes: it exists before it listens."""
    wait_for(path, child)
    end = time.monotonic() + 10
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except ConnectionRefusedError:
            connection.close()
            if child.poll() is not None or time.monotonic() > end:
                raise Missing(f"{child.args[0]} did not start") from None
            time.sleep(0.01)


def store_exports(args, channel, result):
    try:
        files = channel.files()
    except (tarfile.TarError, ValueError) as e:
        print(f"boot-vm: the export stream is damaged: {e}", file=sys.stderr)
        return
    result.exports = sorted(files)
    if args.export:
        export.store(files, args.export)
    if args.event_log:
        if "eventlog.bin" not in files:
            print("boot-vm: the guest exported no event log", file=sys.stderr)
            return
        with open(args.event_log, "wb") as f:
            f.write(files["eventlog.bin"])


def run(args, work, log):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Processes() as processes:
        tpm = start_tpm(processes, args, work)
        errors = open(os.path.join(work, "qemu.err"), "w+b")
        watcher = console.Watcher(log, args.until, sys.stderr if args.verbose else None)
        qemu = processes.start(qemu_command(args, work, tpm), stdout=subprocess.PIPE, stderr=errors)
        with connect(f"{work}/export.sock", qemu) as connection:
            channel = export.Channel(connection, args.nonce)
            watch(qemu, watcher, channel, args.timeout)
    result = outcome(watcher, args.timeout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.cpu_seconds = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    result.stages = watcher.stages
    if result.outcome == "ended":
        errors.seek(0)
        sys.stderr.write(errors.read().decode("utf-8", "replace"))
    store_exports(args, channel, result)
    if args.keep_vars and args.vars:
        shutil.copyfile(os.path.join(work, "vars.fd"), args.keep_vars)
    return result


def boot(args):
    """Boots once as `args` (boot-vm's options) say; returns a console.Result."""
    with tempfile.TemporaryDirectory(prefix="veridian-vm-") as work:
        if args.log is None:
            return run(args, work, None)
        with open(args.log, "w", encoding="utf-8") as log:
            return run(args, work, log)
