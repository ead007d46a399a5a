"""A file system so small that a test can fill it."""

import shutil
import subprocess


class SmallDisk:
    """A tmpfs of its own, mounted at `directory`. Raises PermissionError, with the reason, where that is not allowed."""

    def __init__(self, directory, mebibytes=16):
        directory.mkdir()
        self.directory = directory
        self._filler = directory / "filler"
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", directory]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode != 0:
            raise PermissionError(f"needs root, to mount a file system of its own: {mounted.stderr.strip()}")

    def fill(self, leaving=0):
        """Takes all space but `leaving` bytes."""
        with self._filler.open("wb", buffering=0) as filler:
            size = max(0, shutil.disk_usage(self.directory).free - leaving)
            try:
                while size > 0:
                    size -= filler.write(bytes(min(size, 65536)))
            except OSError:
                pass

    def free(self):
        """Gives back what `fill` took."""
        self._filler.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.directory], check=True)
