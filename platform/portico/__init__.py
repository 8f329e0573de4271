"""The Django project: settings, URLs, the ASGI router and what starts and watches it all."""

import gc

__version__ = "0.1.0"

# Every process makes hundreds of thousands of objects when it starts and some thousands for each
# call, almost none of them in cycles: looking for garbage after every 700 is a fifth of the start
# and a tenth of a call that asks a system.
gc.set_threshold(20_000, 20, 50)
