"""What `medkg-lab new` makes: a package with a plug-in, its test, and a pipeline that uses it."""
