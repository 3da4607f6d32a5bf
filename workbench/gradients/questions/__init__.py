"""The questions of an audit, one file each: ``ask(subject)`` or ``ask(subject, reference)`` gives their answers."""
