"""The learnt faces: how one is found or learnt, where all are kept, and the page that shows one."""
