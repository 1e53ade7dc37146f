"""Random schedules of faults on a real stack, judged from the topics alone."""
