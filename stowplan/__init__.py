"""What every part of stowplan speaks: vocabulary, API access, process plumbing and the command line."""
