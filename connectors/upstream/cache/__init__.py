"""Results of reading tools, kept for a while.

``plans`` says under which key, for how long and with which tags; ``copies`` are this process's
own, good for a hit without any request; ``store`` is Redis, shared by all processes, with
``sealing`` for what lies there; ``flights`` makes one request of equal calls at one time;
``forgetting`` drops what a write may have changed; ``keeper`` counts, and carries on while
Redis is away. :mod:`connectors.remembering` puts them together for the pipeline.
"""
