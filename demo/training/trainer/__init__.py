"""The process that trains, with torch: what it is asked arrives through a pipe, and what it says leaves through it.

`fitting` fits a run into the host's time, `work` is a training thread, `child` the process.

Read in this order: data, pictures, fitting, work, parts, child.
"""
