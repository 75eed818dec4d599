"""One file at a time: whoever makes a temporary file asks for the umask by setting it, which is the whole process's."""

import threading

WRITING = threading.Lock()
