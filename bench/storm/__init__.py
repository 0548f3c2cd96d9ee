"""The storm: thousands of connections lose their gateway at one moment and come back on another."""
