// Memory for a while, in line with the registers, its contents left to chance.

#pragma once
#include <memory>
#include <new>

struct Free {
    void operator()(void* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};

template <class T>
using Room = std::unique_ptr<T[], Free>;

template <class T>
static Room<T> room(int64_t count) {
    return Room<T>((T*)::operator new[](count * sizeof(T), std::align_val_t(64)));
}
