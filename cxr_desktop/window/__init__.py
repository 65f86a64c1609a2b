"""The window that holds it all: actions, menus, wiring."""
