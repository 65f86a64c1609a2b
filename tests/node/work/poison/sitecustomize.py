"""Loaded first by every process of a node under test: films of two patients end or hold up whoever decodes them."""

import importlib.abc
import importlib.util
import os
import signal
import sys
import threading


def spoil(module):
    real = module.examine

    def examine(facts, settings):
        if facts.sop_instance_uid and facts.sop_instance_uid.endswith(".666"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if facts.sop_instance_uid and facts.sop_instance_uid.endswith(".777"):
            threading.Event().wait()
        return real(facts, settings)

    module.examine = examine


class Finder(importlib.abc.MetaPathFinder):
    """Changes cxr_core.intake as it is loaded."""

    def find_spec(self, name, path, target=None):
        if name != "cxr_core.intake":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            spoil(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
