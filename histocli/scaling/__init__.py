"""The shards of one command, side by side: in processes of this machine, or on a Dask cluster."""
