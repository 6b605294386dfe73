"""The machine below: worker processes, what this process costs, how full the memories are."""
